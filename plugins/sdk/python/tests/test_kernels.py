"""The compiled kernels do what the plain ones do, and the stored ones are those of the source."""

import importlib
import math
import random
import shutil
import struct
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from streamhost.kernels import pure

SDK = Path(__file__).resolve().parent.parent
STORED = SDK / "streamhost" / "_streamhost_kernels.cpython-314-wasm32-wasi.so"
NUMBERS = {"b": 7, "B": 8, "h": 15, "H": 16, "i": 31, "I": 32, "q": 63, "Q": 64}


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The kernels compiled for this machine."""
    compiler = next(filter(None, map(shutil.which, ("cc", "clang-19", "gcc", "clang"))), None)
    assert compiler, "there is no C compiler: apt-get install gcc"
    out = tmp_path_factory.mktemp("kernels") / "_streamhost_kernels.so"
    sources = sorted(map(str, (SDK / "kernels").glob("*.c")))
    subprocess.run([compiler, "-std=c17", "-O1", "-fPIC", "-shared", *sources, "-o", str(out)], check=True)
    sys.path.insert(0, str(out.parent))
    return importlib.import_module("_streamhost_kernels")


def test_the_stored_kernels_are_made_of_the_source(tmp_path: Path) -> None:
    out = tmp_path / "kernels.so"
    done = subprocess.run([SDK / "kernels" / "build.sh", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == STORED.read_bytes(), "run kernels/build.sh, with clang 19.1.7"


def numbers(code: str, n: int, random: random.Random) -> bytes:
    """Values of a type, extremes among them."""
    if code in "fd":
        special = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, -5e-324]
        return struct.pack(f"<{n}{code}", *[wild(code, random, special) for _ in range(n)])
    bits = NUMBERS[code]
    low = 0 if code.isupper() else -(1 << bits)
    high = (1 << bits) - 1
    pick = [low, high, 0, 1]
    return struct.pack(f"<{n}{code}", *[random.choice([*pick, random.randint(low, high)]) for _ in range(n)])


def wild(code: str, random: random.Random, special: list[float]) -> float:
    value = random.choice([*special, random.uniform(-100, 100)])
    return struct.unpack("<f", struct.pack("<f", value if abs(value) < 1e38 or not math.isfinite(value) else 1.0))[0] if code == "f" else value


def answer(function: Callable[..., object], arguments: tuple[object, ...]) -> object:
    """What a kernel gives, or how it fails."""
    try:
        return function(*arguments)
    except (ValueError, IndexError, OverflowError, TypeError) as error:
        return type(error)


def both(compiled: ModuleType, name: str, *arguments: object) -> None:
    ours = answer(getattr(compiled, name), arguments)
    plain = answer(getattr(pure, name), arguments)
    assert ours == plain or repr(ours) == repr(plain), (name, arguments)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 64, 100])
def test_bitmaps(compiled: ModuleType, n: int) -> None:
    of = random.Random(n)
    one, other = of.randbytes(n // 8 + 1), of.randbytes(n // 8 + 1)
    rows = array("I", [of.randrange(n) for _ in range(20)]).tobytes() if n else b""
    for name in ("unpack", "count", "indices", "toggled"):
        both(compiled, name, one, n)
        both(compiled, name, one, n + 1000)
    for name in ("both", "either"):
        both(compiled, name, one, other, n)
    both(compiled, "pack", [of.random() < 0.5 for _ in range(n)])
    both(compiled, "take_bits", one, n, rows)
    both(compiled, "take_bits", one, n, b"\xff\xff\xff\xff")


@pytest.mark.parametrize("code", "bBhHiIqQfd")
def test_numbers(compiled: ModuleType, code: str) -> None:
    of = random.Random(code)
    width = struct.calcsize(code)
    for n in (0, 1, 8, 50):
        one, other = numbers(code, n, of), numbers(code, n, of)
        for op in range(6):
            for scalar in (0, 1, -1, 10, 2.5, (1 << 63) - 1, math.nan, math.inf):
                for largest in (False, True):
                    both(compiled, "compare", code, one, op, n, scalar, largest)
            both(compiled, "compare_columns", code, one, other, op, n, True)
            both(compiled, "compare_columns", code, one, other, op, n, False)
        both(compiled, "convert", code, "d", one, n)
        if code not in "fd":
            both(compiled, "convert", code, "q", one, n)
        both(compiled, "compare", code, one, 0, n + 1, 0, False)
        both(compiled, "hash_fixed", width, one, n, 7)
        rows = array("I", [of.randrange(n) for _ in range(20)]).tobytes() if n else b""
        both(compiled, "take_fixed", width, one, n, rows)
        both(compiled, "take_fixed", width, one, n, b"\xff\xff\xff\xff")
        both(compiled, "filter_fixed", width, one, n, of.randbytes(n // 8 + 1))


@pytest.mark.parametrize("code", "qd")
def test_arithmetic(compiled: ModuleType, code: str) -> None:
    of = random.Random(code)
    for n in (0, 1, 50):
        small = struct.pack(f"<{n}{code}", *[(int if code == "q" else float)(of.randint(-9, 9)) for _ in range(n)])
        for op in range(4 if code == "d" else 3):
            for other in (small, 3 if code == "q" else 3.0, 0 if code == "q" else -0.0):
                both(compiled, "arith", code, op, small, other, n)
                both(compiled, "arith", code, op, other, small, n)
    for a in (-(1 << 63), (1 << 63) - 1, -1, 1 << 32, -(1 << 31), 3037000500):
        for b in (-1, 2, 1 << 31, -(1 << 32), (1 << 63) - 1, 0, 3037000500):
            for op in range(3):
                both(compiled, "arith", "q", op, struct.pack("<q", a), b, 1)


@pytest.mark.parametrize("wide", [False, True])
def test_text(compiled: ModuleType, wide: bool) -> None:
    texts = ["", "a", "äöü", "needle", "a needle in hay", "needles", "\U0001f600" * 3, "ned"]
    data = "".join(texts).encode()
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text.encode()))
    offsets = array("q" if wide else "i", ends).tobytes()
    n = len(texts)
    for needle in (b"", b"needle", b"n", "ö".encode(), b"longer than all of them together, surely so"):
        for how in range(4):
            both(compiled, "search", wide, offsets, data, n, needle, how)
    for name in ("texts", "blobs"):
        both(compiled, name, wide, offsets, data, n, None)
        both(compiled, name, wide, offsets, data, n, b"\x55")
        both(compiled, name, wide, offsets, data, n + 1, None)
        both(compiled, name, wide, offsets, data[:-1], n, None)
    both(compiled, "take_bytes", wide, offsets, data, n, array("I", [7, 0, 0, 2]).tobytes())
    both(compiled, "take_bytes", wide, offsets, data, n, array("I", [8]).tobytes())
    both(compiled, "hash_bytes", wide, offsets, data, n, 1 << 63)
    for wrong in ([0, 2, 1], [-1, 0, 1], [0, 1, 1 << 20]):
        both(compiled, "check_offsets", wide, array("q" if wide else "i", wrong).tobytes(), 2, 100)
    assert answer(compiled.texts, (wide, offsets, b"\xff" * len(data), n, None)) is UnicodeDecodeError


def test_lists(compiled: ModuleType) -> None:
    for code in NUMBERS:
        both(compiled, "values", code, [1, None, 0, 127])
        both(compiled, "values", code, [1 << 64])
        both(compiled, "values", code, [-(1 << 63) - 1])
        both(compiled, "values", code, [1.5])
        both(compiled, "values", code, ["x"])
    both(compiled, "values", "d", [1, 2.5, None, math.inf])
    both(compiled, "values", "f", [1, 2.5, None])
    both(compiled, "join", ["a", None, "ö", ""], True)
    both(compiled, "join", [b"a", None, b"", bytearray(b"xy")], False)
    both(compiled, "join", ["a", 1], True)
    both(compiled, "join", ["a"], False)
    assert compiled.nulls_into([1, 2, 3], b"\x05") == [1, None, 3]
    both(compiled, "nulls_into", [1, 2, 3], b"")
