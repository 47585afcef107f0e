import numpy as np
import pytest
import torch

from studyhub.errors import StoreError
from studyhub.models.lstm import Network
from studyhub.training import checkpoint


def network(seed: int) -> Network:
    return Network(3, 4, 8, 2, "feng2020", 0.5, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_come_back_bit_by_bit(tmp_path, dtype):
    model, other = network(0).to(dtype), network(1).to(dtype)
    checkpoint.save(tmp_path / "weights.npz", model.state_dict())
    other.load_state_dict(checkpoint.load(tmp_path / "weights.npz"))
    for ours, theirs in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)


def test_equal_weights_are_equal_files_and_nothing_is_left_beside(tmp_path):
    for name in ("a.npz", "b.npz"):
        checkpoint.save(tmp_path / name, network(0).state_dict())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    checkpoint.save(path, network(0).state_dict())
    before = path.read_bytes()

    def broken(file, **_):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("numpy.savez", broken)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, network(1).state_dict())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "no archive"])
def test_damaged_file_is_one_message(tmp_path, damage):
    path = tmp_path / "weights.npz"
    checkpoint.save(path, network(0).state_dict())
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        flipped = whole[:500] + bytes([whole[500] ^ 255]) + whole[501:]
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "flipped": flipped, "no archive": b"weights"}[damage])
    with pytest.raises(StoreError, match=r"weights\.npz: not a readable file of weights"):
        checkpoint.load(path)


def test_plain_values_lie_beside_the_arrays(tmp_path):
    path = tmp_path / "checkpoint.npz"
    plain = {"epochs": [{"loss": float("nan"), "solve": None}], "score": 0.1 + 0.2, "name": "Gr\u00f6na"}
    checkpoint.save(path, network(0).state_dict(), plain)
    tensors, again = checkpoint.load_with_plain(path)
    assert str(again) == str(plain)
    assert tensors.keys() == network(0).state_dict().keys() == checkpoint.load(path).keys()
    assert all(value.data_ptr() % 64 == 0 for value in tensors.values()), "memory that torch would not give"
    assert np.load(path, allow_pickle=False)["plain.json"].dtype == np.uint8


def test_no_byte_of_a_file_can_change_unseen(tmp_path):
    path = tmp_path / "checkpoint.npz"
    checkpoint.save(path, {"a": torch.arange(5.0), "b": torch.zeros(2, 2)}, {"epochs": [1, 2]})
    whole, right = path.read_bytes(), str(checkpoint.load_with_plain(path))
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        try:
            found = str(checkpoint.load_with_plain(path))
        except StoreError:
            continue
        assert found == right, f"byte {at}"  # one that nothing depends on, such as the time of an archive's member
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(StoreError):
            checkpoint.load_with_plain(path)
