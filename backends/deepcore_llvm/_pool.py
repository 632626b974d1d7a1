"""Threads that compute a program together.

All of them run the same function, each its own share of every step, and meet at a barrier behind each step (single
program, multiple data [1]_). Between programs they wait: awake for some microseconds, as the next step of a training
loop comes soon, and then asleep. Whoever waits lets other processes run.

BLAS computes on one thread meanwhile, because each of these threads calls it with its own part of a product: threads of
its own would compete with these.

References
----------
.. [1] F. Darema et al., A single-program-multiple-data computational model for EPEX/FORTRAN, Parallel Computing 7,
       1988
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from functools import cache
from typing import Final

import numpy as np

from ._blas import Blas, blas
from ._compiler import Library

MOST: Final = 64
"""The largest number of threads."""

_PAUSES: Final = {"x86_64": "pause", "amd64": "pause", "aarch64": "yield", "arm64": "yield"}

# The words of the pool, each in a cache line of its own: 0 generation, 8 pending, 16 arrived, 24 phase, 32 asleep,
# 40 busy; written by who launches: 48 function, 49 table, 50 numbers, 51 threads; 56 wrong; 64 mutex; 80 condition;
# 96 how many threads there are.
_SOURCE: Final = """
declare i64 @llvm.smin.i64(i64, i64)
declare i32 @sched_yield()
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @deepcore_blas_threads()
declare void @deepcore_set_blas_threads(i32)

define void @initialize(ptr %pool) {
  %mutex = getelementptr i64, ptr %pool, i64 64
  %condition = getelementptr i64, ptr %pool, i64 80
  call i32 @pthread_mutex_init(ptr %mutex, ptr null)
  call i32 @pthread_cond_init(ptr %condition, ptr null)
  ret void
}

; Wait for a moment, and let others run now and then.
define internal void @relax(i64 %turn) {
  PAUSE
  %low = and i64 %turn, 127
  %now = icmp eq i64 %low, 127
  br i1 %now, label %yield, label %done
yield:
  call i32 @sched_yield()
  br label %done
done:
  ret void
}

; Wait until all threads are here.
define void @barrier(ptr %pool, i64 %threads) {
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %done, label %meet
meet:
  %arrived = getelementptr i64, ptr %pool, i64 16
  %phase = getelementptr i64, ptr %pool, i64 24
  %before = load atomic i64, ptr %phase acquire, align 8
  %others = atomicrmw add ptr %arrived, i64 1 acq_rel
  %mine = add i64 %others, 1
  %last = icmp eq i64 %mine, %threads
  br i1 %last, label %open, label %wait
open:
  store atomic i64 0, ptr %arrived monotonic, align 8
  %next = add i64 %before, 1
  store atomic i64 %next, ptr %phase release, align 8
  ret void
wait:
  %turn = phi i64 [ 0, %meet ], [ %turns, %again ]
  %now = load atomic i64, ptr %phase acquire, align 8
  %opened = icmp ne i64 %now, %before
  br i1 %opened, label %done, label %again
again:
  call void @relax(i64 %turn)
  %turns = add i64 %turn, 1
  br label %wait
done:
  ret void
}

define internal void @share(ptr %pool, i64 %id) {
  %function.at = getelementptr i64, ptr %pool, i64 48
  %table.at = getelementptr i64, ptr %pool, i64 49
  %numbers.at = getelementptr i64, ptr %pool, i64 50
  %threads.at = getelementptr i64, ptr %pool, i64 51
  %wrong.at = getelementptr i64, ptr %pool, i64 56
  %function = load ptr, ptr %function.at
  %table = load ptr, ptr %table.at
  %numbers = load ptr, ptr %numbers.at
  %threads = load i64, ptr %threads.at
  %wrong = call i32 %function(ptr %table, ptr %numbers, ptr %pool, i64 %id, i64 %threads)
  %bits = zext i32 %wrong to i64
  atomicrmw or ptr %wrong.at, i64 %bits monotonic
  ret void
}

; What a thread does all its life. A generation says in its last byte how many threads are called.
define void @worker(ptr %pool, i64 %id, i64 %first) {
  %generation = getelementptr i64, ptr %pool, i64 0
  %pending = getelementptr i64, ptr %pool, i64 8
  %asleep = getelementptr i64, ptr %pool, i64 32
  %mutex = getelementptr i64, ptr %pool, i64 64
  %condition = getelementptr i64, ptr %pool, i64 80
  br label %begin
begin:
  %seen = phi i64 [ %first, %0 ], [ %call, %act ], [ %call, %work ]
  br label %spin
spin:
  %turn = phi i64 [ 0, %begin ], [ %turns, %again ]
  %now = load atomic i64, ptr %generation acquire, align 8
  %called = icmp ne i64 %now, %seen
  br i1 %called, label %act, label %patient
patient:
  %tired = icmp eq i64 %turn, SPINS
  br i1 %tired, label %sleep, label %again
again:
  call void @relax(i64 %turn)
  %turns = add i64 %turn, 1
  br label %spin
sleep:
  call i32 @pthread_mutex_lock(ptr %mutex)
  atomicrmw add ptr %asleep, i64 1 seq_cst
  br label %check
check:
  %later = load atomic i64, ptr %generation seq_cst, align 8
  %quiet = icmp eq i64 %later, %seen
  br i1 %quiet, label %nap, label %woken
nap:
  call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %check
woken:
  atomicrmw sub ptr %asleep, i64 1 seq_cst
  call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %act
act:
  %call = phi i64 [ %now, %spin ], [ %later, %woken ]
  %threads = and i64 %call, 255
  %takes = icmp slt i64 %id, %threads
  br i1 %takes, label %work, label %begin
work:
  call void @share(ptr %pool, i64 %id)
  atomicrmw sub ptr %pending, i64 1 release
  br label %begin
}

; Run a function on several threads, of which this is the first, or on this one if the others are busy.
define i32 @launch(ptr %table, ptr %numbers, ptr %pool, i64 %wanted, ptr %function) {
  %busy = getelementptr i64, ptr %pool, i64 40
  %there.at = getelementptr i64, ptr %pool, i64 96
  %there = load i64, ptr %there.at
  %threads = call i64 @llvm.smin.i64(i64 %wanted, i64 %there)
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %serial, label %ask
ask:
  %claim = cmpxchg ptr %busy, i64 0, i64 1 acquire monotonic
  %free = extractvalue { i64, i1 } %claim, 1
  br i1 %free, label %together, label %serial
serial:
  %only = call i32 %function(ptr %table, ptr %numbers, ptr %pool, i64 0, i64 1)
  ret i32 %only
together:
  %generation = getelementptr i64, ptr %pool, i64 0
  %pending = getelementptr i64, ptr %pool, i64 8
  %asleep = getelementptr i64, ptr %pool, i64 32
  %function.at = getelementptr i64, ptr %pool, i64 48
  %table.at = getelementptr i64, ptr %pool, i64 49
  %numbers.at = getelementptr i64, ptr %pool, i64 50
  %threads.at = getelementptr i64, ptr %pool, i64 51
  %wrong.at = getelementptr i64, ptr %pool, i64 56
  store ptr %function, ptr %function.at
  store ptr %table, ptr %table.at
  store ptr %numbers, ptr %numbers.at
  store i64 %threads, ptr %threads.at
  store atomic i64 0, ptr %wrong.at monotonic, align 8
  %others = sub i64 %threads, 1
  store atomic i64 %others, ptr %pending monotonic, align 8
  %blas = call i32 @deepcore_blas_threads()
  call void @deepcore_set_blas_threads(i32 1)
  %before = load atomic i64, ptr %generation monotonic, align 8
  %serial.number = and i64 %before, -256
  %count = add i64 %serial.number, 256
  %next = or i64 %count, %threads
  store atomic i64 %next, ptr %generation seq_cst, align 8
  %sleeping = load atomic i64, ptr %asleep seq_cst, align 8
  %nobody = icmp eq i64 %sleeping, 0
  br i1 %nobody, label %work, label %wake
wake:
  %mutex = getelementptr i64, ptr %pool, i64 64
  %condition = getelementptr i64, ptr %pool, i64 80
  call i32 @pthread_mutex_lock(ptr %mutex)
  call i32 @pthread_cond_broadcast(ptr %condition)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %work
work:
  call void @share(ptr %pool, i64 0)
  br label %wait
wait:
  %turn = phi i64 [ 0, %work ], [ %turns, %again ]
  %left = load atomic i64, ptr %pending acquire, align 8
  %finished = icmp eq i64 %left, 0
  br i1 %finished, label %done, label %again
again:
  call void @relax(i64 %turn)
  %turns = add i64 %turn, 1
  br label %wait
done:
  call void @deepcore_set_blas_threads(i32 %blas)
  %wrong = load atomic i64, ptr %wrong.at monotonic, align 8
  %result = trunc i64 %wrong to i32
  store atomic i64 0, ptr %busy release, align 8
  ret i32 %result
}
"""
_SPINS: Final = 5000
_WORDS: Final = 104
_LINE: Final = 8
_THERE: Final = 96


class Pool:
    """The threads of a process.

    Parameters
    ----------
    library
        NumPy's BLAS, which has to have functions that get and set its number of threads.

    Attributes
    ----------
    address
        The memory of the pool, which barriers and functions are given.
    barrier, launch
        The addresses of these functions.
    """

    def __init__(self, library: Blas) -> None:
        instruction = _PAUSES.get(platform.machine().lower())
        pause = f'call void asm sideeffect "{instruction}", ""()' if instruction else ""
        text = _SOURCE.replace("PAUSE", pause).replace("SPINS", str(_SPINS))
        symbols = {"deepcore_blas_threads": library.threads, "deepcore_set_blas_threads": library.set_threads}
        self._library = Library(text, ["initialize", "barrier", "worker", "launch"], symbols)
        self._memory = np.zeros(_WORDS + _LINE, np.int64)
        self.address = -(-self._memory.ctypes.data // (8 * _LINE)) * 8 * _LINE
        self.barrier = self._library.addresses["barrier"]
        self.launch = self._library.addresses["launch"]
        self._worker = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(
            self._library.addresses["worker"]
        )
        self.forget()

    def forget(self) -> None:
        """Begin with one thread, as in a process that was just forked."""
        self._starting = threading.Lock()
        self._memory[:] = 0
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._library.addresses["initialize"])(self.address)
        self._there = ctypes.c_int64.from_address(self.address + 8 * _THERE)
        self._there.value = 1

    def start(self, threads: int) -> None:
        """See to it that there are so many threads, with the one that asks."""
        with self._starting:
            for i in range(self._there.value, threads):
                generation = ctypes.c_int64.from_address(self.address).value
                arguments = (self.address, i, generation)
                threading.Thread(target=self._worker, args=arguments, name=f"deepcore-{i}", daemon=True).start()
            self._there.value = max(self._there.value, threads)


@cache
def pool() -> Pool | None:
    """Return the threads of this process, or None where there can be none."""
    library = blas()
    if library is None or not library.set_threads or os.name != "posix":
        return None
    return Pool(library)


def _forget() -> None:
    threads = pool() if pool.cache_info().currsize else None
    if threads is not None:
        threads.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
