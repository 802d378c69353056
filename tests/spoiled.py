"""Ways in which an input file goes bad, each a function of its path."""

import zipfile

import h5py
import numpy as np


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def beheaded(path):
    path.write_bytes(path.read_bytes()[:40])


def nearly_whole(path):
    path.write_bytes(path.read_bytes()[:-7])


def empty(path):
    path.write_bytes(b"")


def page(path):
    path.write_text("<!DOCTYPE html>\n<html><title>Earthdata Login</title></html>\n")


def zipped(path):
    content = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside.nc", content)


def text(path):
    path.write_text("no such granule\n" * 40)


def smaller_grid(path):
    with h5py.File(path, "r+") as file:
        attrs = dict(file["TB"].attrs)
        del file["TB"]
        small = file.create_dataset("TB", (1, 500, 500), "u2", fillvalue=0)
        for name in ("scale_factor", "add_offset", "units"):
            small.attrs[name] = attrs[name]


def smaller_amsr2(path):
    with h5py.File(path, "r+") as file:
        for letter in "VH":
            name = f"Brightness Temperature ({letter})"
            scale = file[name].attrs["SCALE FACTOR"]
            del file[name]
            file.create_dataset(name, (720, 1440), "u2").attrs["SCALE FACTOR"] = scale


def another_product(path):
    with h5py.File(path, "w") as file:
        file["Snow_Depth"] = np.zeros((4, 4), "f4")


def hundredfold(path):
    """TB in hundredths of a kelvin, or as packed numbers that nobody unpacked."""
    with h5py.File(path, "r+") as file:
        for name, attribute in (
            ("TB", "scale_factor"),
            ("Brightness Temperature (V)", "SCALE FACTOR"),
            ("Brightness Temperature (H)", "SCALE FACTOR"),
        ):
            if name in file:
                file[name].attrs[attribute] = np.array([1.0], "f4")


def celsius(path):
    with h5py.File(path, "r+") as file:
        for name in ("TB", "Brightness Temperature (V)", "Brightness Temperature (H)"):
            if name in file:
                packed = file[name][...]
                cold = np.clip(packed.astype(int) - 25000, 1, 4000)  # 0..40 in hundredths: degrees Celsius in a K slot
                file[name][...] = np.where((packed > 0) & (packed < 65000), cold, packed)


def flipped(path):
    """A bit in every compressed chunk."""
    with h5py.File(path, "r") as file:
        names = [n for n in ("TB", "Brightness Temperature (V)") if n in file]
        chunks = [file[names[0]].id.get_chunk_info(i) for i in range(file[names[0]].id.get_num_chunks())]
    raw = bytearray(path.read_bytes())
    for chunk in chunks:
        raw[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(raw)


def era5_in_celsius(path):
    with h5py.File(path, "r+") as file:
        file["stl1"][...] = file["stl1"][...] - 273.15
