"""The training loop: fields in, the checkpoint of the best epoch out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from frostline import __version__
from frostline.errors import ConfigError, InputError
from frostline.leaks import area_facts, spans
from frostline.learn import build, on_device
from frostline.learn.channels import channel_names, scaled, unknown, variables
from frostline.learn.checkpoint import Checkpoint, grid_facts
from frostline.learn.graph import exported
from frostline.learn.loss import frozen_logit, objective_of_heads, teaches
from frostline.learn.resume import arrays, fingerprint, resume, save
from frostline.learn.samples import Samples, batches, check_disjoint, fields, held, pack
from frostline.learn.scale import fit
from frostline.learn.sequences import complete, latest, unroll
from frostline.learn.step import PRECISION, autocast, step
from frostline.scores import mcc

# weights of the sources in the selection score; "both" is the published code's 3 MCC(stations) + MCC(ERA5)
SELECT = {"reanalysis": {"reanalysis": 1.0}, "stations": {"station": 1.0}, "both": {"station": 3.0, "reanalysis": 1.0}}
Progress = Callable[[Mapping[str, Any]], None]


def train(
    stack: xr.Dataset,
    *,
    inputs: Sequence[str],
    statics: Sequence[str],
    days: Mapping[str, np.ndarray],
    area: np.ndarray,
    validation_area: np.ndarray,
    work_dir: Path,
    extras: Sequence[str] = (),
    net: str = "unet",
    net_options: Mapping[str, Any] | None = None,
    epochs: int = 12,
    batch: int = 16,
    crop: int = 32,
    augment: bool = True,
    sensor_dropout: float = 0.0,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-2,
    schedule: str = "cosine",
    lambda_reanalysis: float = 0.3,
    lambda_station: float = 1.0,
    products: Mapping[str, float] | None = None,
    lambda_lv: float = 0.1,
    lv_on: str = "prob",
    select: str = "reanalysis",
    teachers: str = "label",
    validation_days: int = 120,
    steps: int | None = None,
    precision: str = "float32",
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> Checkpoint:
    """Train `net` on a stack of predictors and labels; the weights of the epoch with the best validation MCC.

    stack: predictors and `label_reanalysis`, `label_station` (time, overpass, y, x) and statics (y, x), lazy or not;
    predictors may have steps (learn.sequences), of which the last `steps` are used (default all).
    days: `train` and `validation`, bool (time,). area, validation_area: bool (y, x), the REGION whose inputs and
    labels are used, sea included (land is taken from the stack): outside `area` a training field is missing.
    extras: out of `channels.EXTRAS`. net_options: keywords of the network. schedule: `cosine` (to 0, per step) or
    `constant`. products: more label sources and their lambdas, `{"smap": 1.0}` for `label_smap`; a net with several
    targets has one for each, in this order. A source whose lambda is 0 is not read. select: labels that choose the
    epoch, `reanalysis`, `stations`, `both` (3:1, the published code) or `products` (their mean); at most
    `validation_days` evenly spaced days are looked at. sensor_dropout: share of samples in which one instrument is
    made missing (learn.outages).
    teachers: variables `<this>_<source>` teach, soft or with cells left out if need be; what chooses is
    `label_<source>` whatever teaches.
    precision: of the network's activations (learn.step), `float32` or `bfloat16`. device: `auto`, `cpu`, `cuda`, ...
    work_dir holds `last.safetensors`, from which the same call goes on after a kill (and ends as if it had not been
    killed), and the packed samples where they exceed RAM_BYTES. On one machine, the same seed gives the same
    weights on CPU. progress is called after each epoch with its history row and samples per second.

    Errors: E-SPLIT for overlapping days, E-TRAIN-NAN for a value that is not finite, E-INPUT-MISSING, E-CONFIG.
    """
    products = {s: w for s, w in (products or {}).items() if w > 0}
    presets = SELECT | ({"products": dict.fromkeys(products, 1.0)} if products else {})
    if select not in presets or schedule not in ("cosine", "constant") or precision not in PRECISION:
        raise ConfigError("E-CONFIG", where="train", cause=f"{select=}, {schedule=} or {precision=} is unknown")
    if unknown([*days], ["train", "validation"]) or not all(np.any(d) for d in days.values()) or len(days) < 2:
        raise ConfigError("E-SPLIT", where="days", cause="train and validation each need a day")
    nothing = np.zeros(stack.sizes["time"], bool)
    check_disjoint(days["train"], days["validation"], nothing, 0, stack["time"].values)
    settings = {k: v for k, v in locals().items() if isinstance(v, int | float | str)}  # before any other local
    work_dir = Path(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)

    # what the network sees
    stack = latest(stack, steps)
    channels = channel_names(stack, inputs=unroll(stack, inputs), statics=statics, extras=extras)
    lambdas = {k: v for k, v in (("reanalysis", lambda_reanalysis), ("station", lambda_station)) if v > 0} | products
    judges = presets[select]
    options = complete(net, net_options or {}, channels)
    if options.get("targets", 1) not in (1, len(products)):
        cause = f"{options['targets']} targets for products {[*products]}"
        raise ConfigError("E-CONFIG", where="train", cause=cause, remedy="use one target, or one for each product")
    part, chosen = held(stack, _needed(stack, channels, lambdas, teachers), days["train"])
    scaler = fit(part, scaled(channels), days=chosen, area=area)
    packing = partial(pack, channels=channels, scaler=scaler)
    file = work_dir / "train.npy"
    learnt = packing(part, sources=[*lambdas], labels=teachers, days=chosen, visible=area, labelled=area, file=file)
    looked_at = _evenly(np.asarray(days["validation"], bool), validation_days)
    part, chosen = held(stack, _needed(stack, channels, judges), looked_at)
    seen, file = np.asarray(area, bool) | validation_area, work_dir / "validation.npy"
    judged = packing(part, sources=[*judges], days=chosen, visible=seen, labelled=validation_area, file=file)
    del part
    if learnt.table.empty or judged.table.empty:
        where = "train days" if learnt.table.empty else "validation days"
        raise InputError("E-INPUT-MISSING", where=where, cause="none has both inputs and labels in its area")
    provenance = {
        **settings,
        "products": [*products],  # in the order of the heads
        "lambda_products": [*products.values()],
        "overpasses": stack["overpass"].values.tolist(),
        "frostline": __version__,
        "torch": str(torch.__version__),
        "samples": len(learnt.table),
        "validation_samples": len(judged.table),
        "train_first": str(learnt.table["date"].min())[:10],
        "train_last": str(learnt.table["date"].max())[:10],
        **_taught(stack["time"].values, days, {"train": area, "validation": validation_area}),
        "station_area": area_facts(_labeled(learnt, "station")),
    }

    # the network and where it stands
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, on = on_device(build(net, len(channels), options), device)
        adam = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
        mark = fingerprint({**provenance, "net_options": options, "channels": channels}, learnt, judged, days)
        state = work_dir / "last.safetensors"
        epoch, history, best = resume(state, mark, model, adam)
        penalty = partial(objective_of_heads, products=[*products], lambdas=lambdas, lambda_lv=lambda_lv, on=lv_on)
        drawn = partial(batches, batch=batch, crop=crop, augment=augment, sensor_dropout=sensor_dropout)
        per_epoch = math.ceil(len(learnt.table) / batch)
        while epoch < epochs:
            torch.manual_seed(1_000_003 * (seed + 1) + epoch)  # dropout: a resumed epoch repeats exactly
            rng = np.random.default_rng([seed, epoch])
            began, total = perf_counter(), 0.0
            model.train()
            for k, (x, y, cells, which) in enumerate(drawn(learnt, rng=rng)):
                if schedule == "cosine":
                    rate = 0.5 * learning_rate * (1 + math.cos(math.pi * (epoch + k / per_epoch) / epochs))
                    adam.param_groups[0]["lr"] = rate
                labels = {source: y[:, i] for i, source in enumerate(learnt.sources)}
                value, scores = step(model, adam, x, labels, cells, penalty=penalty, on=on, precision=precision)
                if not math.isfinite(value):
                    _stop(x, scores, channels, learnt, which, epoch)
                total += value * len(which)
            speed = len(learnt.table) / (perf_counter() - began)
            row: dict[str, float | None] = {"epoch": epoch + 1, "loss": total / len(learnt.table)}
            row |= _judge(model, judged, judges, [*products], on, precision, batch)
            epoch += 1
            history.append(row)
            if _better(row["mcc"], best["mcc"]):
                best = {"mcc": row["mcc"], "epoch": epoch, "weights": arrays(model.state_dict())}
            save(state, mark, model, adam, epoch, history, best)
            if progress is not None:
                progress({**row, "epochs": epochs, "samples_per_second": speed, "best_epoch": best["epoch"]})
    made = Checkpoint(
        net=net,
        net_options=options,
        channels=channels,
        scaler=scaler,
        weights=best["weights"],
        grid=grid_facts(stack),
        provenance={**provenance, "best_epoch": best["epoch"]},
        history=tuple(history),
    )
    sample = next(drawn(learnt, rng=np.random.default_rng(seed)))[0][:2]  # (2, channel, crop, crop)
    return exported(made, [sample, sample[:1, :, : crop - crop // 4, : crop - crop // 3]])


def _taught(time: np.ndarray, days: Mapping[str, np.ndarray], areas: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The days that may teach or choose as spans, and their areas in cells of the checkpoint's grid; for `leaks`."""
    found: dict[str, Any] = {f"{role}_spans": spans(time[np.asarray(days[role], bool)]) for role in areas}
    return found | {f"{role}_area": area_facts(area) for role, area in areas.items()}


def _labeled(learnt: Samples, source: str) -> np.ndarray:
    """Cells (y, x) that any label of a source taught."""
    found = np.zeros(learnt.cells.shape, bool)
    for row in learnt.labels if source in learnt.sources else ():
        found |= np.isfinite(row[learnt.sources.index(source)])
    return found


def _needed(stack: xr.Dataset, channels: Sequence[str], sources: Iterable[str], labels: str = "label") -> list[str]:
    names = [*variables(channels), *(f"{labels}_{s}" for s in sources), *(["land"] if "land" in stack else [])]
    return [name for name in dict.fromkeys(names) if name in stack]


def _evenly(days: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the true days, evenly spaced."""
    index = np.flatnonzero(days)
    if len(index) > most:
        index = index[np.linspace(0, len(index) - 1, most).round().astype(int)]
    return np.isin(np.arange(len(days)), index)


def _judge(
    model: torch.nn.Module,
    judged: Samples,
    judges: Mapping[str, float],
    products: Sequence[str],
    on: torch.device,
    precision: str,
    batch: int,
) -> dict[str, float | None]:
    """MCC on whole validation fields, by source, and their weighted mean `mcc`; None where undefined (one class).

    Several heads: each against the labels that teach it.
    """
    model.eval()
    sums = {s: dict.fromkeys(("true_frozen", "false_frozen", "false_thawed", "true_thawed"), 0) for s in judges}
    rows = judged.table["row"].to_numpy()
    with torch.inference_mode(), autocast(on, precision):
        for start in range(0, len(rows), batch):
            x, y = fields(judged, rows[start : start + batch])
            scores = model(torch.from_numpy(x).to(on, memory_format=torch.channels_last))
            p = torch.sigmoid(frozen_logit(scores)).float().cpu().numpy()
            heads = p[:, None] if p.ndim == 3 else p  # (n, target, y, x)
            for i, source in enumerate(judged.sources):
                for k in teaches(source, products, heads.shape[1]):
                    for name, count in confusion(heads[:, k], y[:, i]).items():
                        sums[source][name] += count
    with np.errstate(invalid="ignore", divide="ignore"):
        each = {source: float(mcc(counts)) for source, counts in sums.items()}
    known = {s: w for s, w in judges.items() if math.isfinite(each[s])}
    whole = sum(w * each[s] for s, w in known.items()) / sum(known.values()) if known else None
    return {f"mcc_{s}": each[s] if s in known else None for s in judges} | {"mcc": whole}


def confusion(frozen: np.ndarray, label: np.ndarray) -> dict[str, int]:
    """Sums of `scores.mcc`: probability against label, NaN and ties (exactly 0.5) left out."""
    known = np.isfinite(frozen) & np.isfinite(label) & (frozen != 0.5) & (label != 0.5)
    claim, truth = frozen[known] > 0.5, label[known] > 0.5
    return {
        "true_frozen": int((claim & truth).sum()),
        "false_frozen": int((claim & ~truth).sum()),
        "false_thawed": int((~claim & truth).sum()),
        "true_thawed": int((~claim & ~truth).sum()),
    }


def _better(new: float | None, old: float | None) -> bool:
    """Whether an epoch becomes the best: while no score was defined the latest counts."""
    return old is None or (new is not None and new > old)


def _stop(
    x: np.ndarray, scores: Tensor, channels: Sequence[str], learnt: Samples, which: np.ndarray, epoch: int
) -> None:
    """Name what made the loss NaN or Inf: an input channel, or the loss itself, and the date."""
    bad = np.argwhere(~np.isfinite(x).all(axis=(2, 3)))
    sick = np.flatnonzero(~torch.isfinite(scores).flatten(1).all(dim=1).cpu().numpy())
    name, k = (channels[bad[0, 1]], bad[0, 0]) if len(bad) else ("loss", sick[0] if len(sick) else 0)
    raise InputError(
        "E-TRAIN-NAN",
        where=f"{name} on {np.datetime64(learnt.table['date'].iloc[which[k]], 'D')}",
        cause=f"the loss of epoch {epoch + 1} is not finite",
        remedy="lower the learning rate" if name == "loss" else "correct this variable in the stack",
    )
