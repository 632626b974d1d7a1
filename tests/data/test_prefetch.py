from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepcore import ConfigError, DataError, DeepcoreError, StorageError
from deepcore.data import DataLoader, Dataset, WeightedSampler, transforms

if TYPE_CHECKING:
    from collections.abc import Iterator


def make(n: int = 40) -> Dataset:
    return Dataset(np.arange(n * 36, dtype=np.float32).reshape(n, 6, 6), np.arange(n), name="toy")


def workers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("deepcore-data")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    assert not workers()
    yield
    gc.collect()
    assert not workers()


AUGMENT = transforms.Compose(
    transforms.RandomFlip(), transforms.RandomCrop(5, padding=1), transforms.RandomAffine(degrees=20, translate=0.1)
)


@settings(max_examples=12, deadline=None)
@given(
    n=st.integers(1, 40),
    size=st.integers(3, 45),
    prefetch=st.integers(0, 5),
    count=st.integers(1, 4),
    weighted=st.booleans(),
)
def test_batches_are_the_same_for_any_number_of_workers(
    n: int, size: int, prefetch: int, count: int, weighted: bool
) -> None:
    sampler = WeightedSampler(np.ones(n), 30) if weighted else None
    options: Any = {"batch_size": size, "shuffle": not weighted, "sampler": sampler, "seed": 4, "transform": AUGMENT}
    plain = DataLoader(make(n), **options)
    ahead = DataLoader(make(n), prefetch=prefetch, workers=count, **options)
    for _ in range(2):
        for (x, y), (found, labels) in zip(plain, ahead, strict=True):
            np.testing.assert_array_equal(found, x)
            np.testing.assert_array_equal(labels, y)


def test_the_numbers_of_a_sample_do_not_depend_on_its_batch() -> None:
    def by_sample(size: int) -> dict[int, bytes]:
        loader = DataLoader(make(), batch_size=size, shuffle=True, transform=AUGMENT)
        return {int(y): x.tobytes() for inputs, targets in loader for x, y in zip(inputs, targets, strict=True)}

    assert by_sample(7) == by_sample(40)
    loader = DataLoader(make(), batch_size=40, transform=AUGMENT)
    first, second = (next(iter(loader))[0] for _ in range(2))
    assert not np.array_equal(first, second)  # another epoch
    other = DataLoader(make(), batch_size=40, transform=AUGMENT, seed=1)
    assert not np.array_equal(first, next(iter(other))[0])


def test_a_sample_that_is_drawn_twice_is_augmented_twice() -> None:
    only = WeightedSampler([0, 1, 0], 16)
    data = Dataset(np.random.default_rng(0).normal(size=(3, 9, 9)), np.arange(3))
    turn = transforms.RandomAffine(degrees=90)
    whole = next(iter(DataLoader(data, batch_size=16, sampler=only, transform=turn)))[0]
    assert len(np.unique(whole.reshape(16, -1), axis=0)) == 16
    parts = [inputs for inputs, _ in DataLoader(data, batch_size=3, sampler=only, transform=turn)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_images_and_their_masks_are_cut_alike() -> None:
    images = np.random.default_rng(0).normal(size=(50, 8, 8))
    loader = DataLoader(
        Dataset(images, images), transform=transforms.RandomCrop(4), target_transform=transforms.RandomCrop(4)
    )
    for inputs, targets in loader:
        np.testing.assert_array_equal(inputs, targets)


def test_no_more_are_prepared_than_said() -> None:
    begun, done = [0], [0]
    alive: list[weakref.ref[Any]] = []
    lock = threading.Lock()

    def slow(x: Any) -> Any:
        with lock:
            begun[0] += 1
            assert begun[0] - done[0] <= 4  # the batch in use, and three ahead
        result = x.copy()
        alive.append(weakref.ref(result))
        return result

    loader = DataLoader(make(), batch_size=2, transform=slow, prefetch=3, workers=8)
    for inputs, _ in loader:
        time.sleep(0.002)
        assert sum(ref() is not None for ref in alive) <= 4
        del inputs
        with lock:
            done[0] += 1
    assert begun[0] == 20


def test_batches_are_prepared_while_others_are_used() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def meet(x: Any) -> Any:
        if x[0, 0, 0] > 0:
            meeting.wait()  # passes only if the consumer gets the first batch before the second is ready
        return x

    batches = iter(DataLoader(make(4), batch_size=2, transform=meet, prefetch=1))
    next(batches)
    meeting.wait()
    next(batches)
    with pytest.raises(StopIteration):
        next(batches)


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_what_a_worker_raises(prefetch: int) -> None:
    def broken(x: Any) -> Any:
        if x[0, 0, 0] >= 10 * 36:
            return 1 / 0
        return x

    batches = iter(DataLoader(make(), batch_size=5, transform=broken, prefetch=prefetch, workers=2))
    next(batches)
    next(batches)
    with pytest.raises(
        DataError, match="batch 2 of epoch 0 of 'toy' could not be prepared: ZeroDivisionError"
    ) as caught:
        next(batches)
    cause = caught.value.__cause__
    assert isinstance(cause, ZeroDivisionError)
    frames = []
    traceback = cause.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert frames[-1] == "broken"
    with pytest.raises(StopIteration):
        next(batches)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_our_own_errors_stay_what_they_are(prefetch: int) -> None:
    def broken(x: Any) -> Any:
        message = "the disk is gone"
        raise StorageError(message)

    with pytest.raises(StorageError, match="the disk is gone") as caught:
        next(iter(DataLoader(make(), transform=broken, prefetch=prefetch)))
    assert caught.value.__notes__ == ["while preparing batch 0 of epoch 0 of 'toy'"]


@pytest.mark.parametrize("leave", ["break", "drop", "close", "raise", "unused"])
def test_an_iterator_that_is_left_leaves_no_thread(leave: str) -> None:
    loader = DataLoader(make(), batch_size=2, prefetch=3, workers=3, transform=lambda x: x)
    if leave == "break":
        for _ in loader:
            break
    elif leave == "raise":
        with pytest.raises(DeepcoreError, match="enough"):  # noqa: PT012 - the loop has to be in it
            for _ in loader:
                message = "enough"
                raise DataError(message)
    else:
        batches: Any = iter(loader)
        if leave != "unused":
            next(batches)
            assert workers()
        if leave == "close":
            batches.close()
        del batches
    gc.collect()
    assert not workers()


def test_what_was_prepared_for_nobody_is_not_begun() -> None:
    begun: list[int] = []

    def slow(x: Any) -> Any:
        begun.append(len(x))
        time.sleep(0.05)
        return x

    batches: Any = iter(DataLoader(make(), batch_size=2, prefetch=8, transform=slow))
    next(batches)
    batches.close()
    assert len(begun) <= 3


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("waiting", [True, False])
def test_an_interrupt_ends_it(waiting: bool) -> None:
    """While the program waits for a batch, and while it uses one."""
    slow = "lambda x: (print('go', flush=True), time.sleep(0.5), x)[2]"
    code = f"""
import time, threading, numpy as np
from deepcore.data import DataLoader, Dataset
loader = DataLoader(Dataset(np.zeros(1000), np.zeros(1000)), batch_size=1, prefetch=2, transform={slow})
try:
    for batch in loader:
        time.sleep({0 if waiting else 60})
except KeyboardInterrupt:
    pass
left = [t for t in threading.enumerate() if t.name.startswith("deepcore-data")]
print("ended", left, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline() == "go\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert "ended []" in out
    assert process.returncode == 0


def test_a_program_that_ends_in_an_epoch_ends() -> None:
    code = """
import numpy as np
from deepcore.data import DataLoader, Dataset
batches = iter(DataLoader(Dataset(np.zeros(1000), np.zeros(1000)), batch_size=1, prefetch=4, workers=4))
next(batches)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0


def state(loader: DataLoader) -> tuple[int, int]:
    found = loader.state_dict()
    return found["epoch"], found["batch"]


@pytest.mark.parametrize("prefetch", [0, 3])
@pytest.mark.parametrize("stop", [0, 1, 5, 6, 7, 11, 12])
def test_a_resumed_loader_serves_what_would_have_come(stop: int, prefetch: int) -> None:
    def loader() -> DataLoader:
        return DataLoader(make(), batch_size=7, shuffle=True, seed=2, transform=AUGMENT, prefetch=prefetch)

    def served(source: DataLoader, count: int) -> list[Any]:
        found: list[Any] = []
        while len(found) < count:
            for inputs, _ in source:
                found.append(inputs)
                if len(found) == count:
                    break
        return found

    assert len(loader()) == 6
    whole = served(loader(), 18)
    before = loader()
    served(before, stop)
    assert state(before) == divmod(stop, 6)
    after = loader()
    after.load_state_dict(before.state_dict())
    assert state(after) == divmod(stop, 6)
    for found, expected in zip(served(after, 18 - stop), whole[stop:], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert state(after) == (3, 0)
    assert after.epoch == 3


def test_positions() -> None:
    loader = DataLoader(make(), batch_size=10)
    assert state(loader) == (0, 0)
    loader.resume_at(3, 4)
    assert (loader.epoch, state(loader)) == (4, (4, 0))
    loader.resume_at(3, 2)
    assert loader.epoch == 3
    old = iter(loader)
    assert (loader.epoch, state(loader)) == (4, (3, 2))
    next(old)
    assert state(loader) == (3, 3)
    new = iter(loader)
    next(new)
    next(old)  # of an epoch that was left
    assert state(loader) == (4, 1)
    loader.epoch = 7
    next(new)
    assert state(loader) == (7, 0)


@pytest.mark.parametrize("wrong", [{"epoch": 1}, {"epoch": -1, "batch": 0}, {"epoch": 0, "batch": 5}, {"a": 1}, {}])
def test_states_that_do_not_fit(wrong: Any) -> None:
    loader = DataLoader(make(), batch_size=10)
    with pytest.raises(DeepcoreError, match="state"):
        loader.load_state_dict(wrong)
    with pytest.raises(ConfigError, match="an epoch has 4 batches"):
        loader.resume_at(0, 5)


@pytest.mark.parametrize("options", [{"prefetch": -1}, {"prefetch": 0.5}, {"workers": 0}])
def test_options_out_of_range(options: Any) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))} is an integer from"):
        DataLoader(make(), **options)


def test_collate_makes_a_batch_of_samples() -> None:
    def by_hand(samples: Any) -> Any:
        return np.stack([x.sum() for x, _ in samples]), [int(y) for _, y in samples]

    loader = DataLoader(make(), batch_size=3, collate=by_hand, transform=lambda x: -x)
    inputs, targets = next(iter(loader))
    np.testing.assert_array_equal(inputs, -make().inputs[:3].sum(axis=(1, 2)))
    assert targets == [0, 1, 2]


def test_rows_are_read_in_the_worker() -> None:
    """Views of a memory map would be read where they are used."""
    names: set[str] = set()

    def note(x: Any) -> Any:
        names.add(threading.current_thread().name)
        return x

    for _ in DataLoader(make(), transform=note, prefetch=1):
        pass
    assert all(name.startswith("deepcore-data") for name in names)
    assert names
