; Threads that compute together: see _pool.py. What is written by one thread and read by another while both are at work
; has a cache line of its own.

@generation = internal global i64 0, align 64    ; 256 times the number of launches, and how many threads are called
@pending = internal global i64 0, align 64       ; less than 0 by how many of these are still at work
@asleep = internal global i64 0, align 64
@wrong = internal global i64 0, align 64         ; what their functions returned, or-ed
@busy = internal global i64 0, align 64          ; whether somebody has the threads
@lent = internal global i64 0, align 64          ; whether somebody is in @lend
@starting = internal global i64 0, align 64
@there = internal global i64 1, align 64         ; how many threads there are, with the one that launches
@processor = internal global i64 -1, align 64    ; where that one was when the others were last told to be elsewhere
@function = internal global ptr null, align 64   ; what they compute, ...
@table = internal global ptr null                ; ... of what, ...
@numbers = internal global ptr null
@threads = internal global i64 0                 ; ... how many they are, ...
@first = internal global i64 0                   ; ... and the first of its phases
@mutex = internal global [16 x i64] zeroinitializer, align 64
@condition = internal global [16 x i64] zeroinitializer, align 64
@handles = internal global [MOST x i64] zeroinitializer, align 64  ; what the system calls each thread
@firsts = internal global [MOST x i64] zeroinitializer, align 64   ; the generation before the first that it heeds

%work = type { ptr, i64, ptr, i32 }              ; a job of BLAS: function, bytes of an item, items, and what else

declare i32 @sched_yield()
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare void @abort()
declare i32 @deepcore_blas_threads()
declare void @deepcore_set_blas_threads(i32)

; Begin with one thread, as in a process that was just forked.
define void @begin() {
  store i64 0, ptr @generation
  store i64 0, ptr @pending
  store i64 0, ptr @asleep
  store i64 0, ptr @wrong
  store i64 0, ptr @busy
  store i64 0, ptr @lent
  store i64 0, ptr @starting
  store i64 1, ptr @there
  store i64 -1, ptr @processor
  call void @calm()
  call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  call i32 @pthread_cond_init(ptr @condition, ptr null)
  ret void
}

; Wait for a moment, and let others run now and then.
define internal void @relax(i64 %turn) {
  call void @pause()
  %low = and i64 %turn, 127
  %now = icmp eq i64 %low, 127
  br i1 %now, label %yield, label %done
yield:
  call i32 @sched_yield()
  br label %done
done:
  ret void
}

define internal void @lock(ptr %flag) {
  br label %try
try:
  %turn = phi i64 [ 0, %0 ], [ %turns, %again ]
  %claim = cmpxchg ptr %flag, i64 0, i64 1 acquire monotonic
  %mine = extractvalue { i64, i1 } %claim, 1
  br i1 %mine, label %done, label %again
again:
  call void @relax(i64 %turn)
  %turns = add i64 %turn, 1
  br label %try
done:
  ret void
}

define internal void @unlock(ptr %flag) {
  store atomic i64 0, ptr %flag release, align 8
  ret void
}

; Do the part of a thread.
define internal void @take.part(i64 %id) {
  %function = load ptr, ptr @function
  %table = load ptr, ptr @table
  %numbers = load ptr, ptr @numbers
  %threads = load i64, ptr @threads
  %first = load i64, ptr @first
  %wrong = call i32 %function(ptr %table, ptr %numbers, i64 %id, i64 %threads, i64 %first)
  %bits = zext i32 %wrong to i64
  atomicrmw or ptr @wrong, i64 %bits monotonic
  ret void
}

; What a thread does all its life.
define internal ptr @worker(ptr %argument) {
  %id = ptrtoint ptr %argument to i64
  %first.at = getelementptr i64, ptr @firsts, i64 %id
  %first = load i64, ptr %first.at
  br label %begin
begin:
  %seen = phi i64 [ %first, %0 ], [ %call, %act ], [ %call, %work ]
  br label %spin
spin:
  %turn = phi i64 [ 0, %begin ], [ %turns, %again ]
  %now = load atomic i64, ptr @generation acquire, align 8
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
  call i32 @pthread_mutex_lock(ptr @mutex)
  atomicrmw add ptr @asleep, i64 1 seq_cst
  br label %check
check:
  %later = load atomic i64, ptr @generation seq_cst, align 8
  %quiet = icmp eq i64 %later, %seen
  br i1 %quiet, label %nap, label %woken
nap:
  call i32 @pthread_cond_wait(ptr @condition, ptr @mutex)
  br label %check
woken:
  atomicrmw sub ptr @asleep, i64 1 seq_cst
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %act
act:
  %call = phi i64 [ %now, %spin ], [ %later, %woken ]
  %threads = and i64 %call, 255
  %takes = icmp slt i64 %id, %threads
  br i1 %takes, label %work, label %begin
work:
  call void @take.part(i64 %id)
  atomicrmw add ptr @pending, i64 1 release
  br label %begin
}

; See to it that there are so many threads, or as many as the system gives.
define void @start(i64 %wanted) {
  call void @lock(ptr @starting)
  %before = load atomic i64, ptr @there acquire, align 8
  br label %each
each:
  %id = phi i64 [ %before, %0 ], [ %next, %made ]
  %enough = icmp sge i64 %id, %wanted
  br i1 %enough, label %done, label %make
make:
  %first.at = getelementptr i64, ptr @firsts, i64 %id
  %generation = load atomic i64, ptr @generation acquire, align 8
  store i64 %generation, ptr %first.at
  %handle.at = getelementptr i64, ptr @handles, i64 %id
  %argument = inttoptr i64 %id to ptr
  %failed = call i32 @pthread_create(ptr %handle.at, ptr null, ptr @worker, ptr %argument)
  %is.there = icmp eq i32 %failed, 0
  br i1 %is.there, label %made, label %done
made:
  %next = add i64 %id, 1
  store atomic i64 %next, ptr @there release, align 8
  store atomic i64 -1, ptr @processor monotonic, align 8
  br label %each
done:
  call void @unlock(ptr @starting)
  ret void
}

; Let so many threads, of which this is the first, compute. Who calls this has them.
define internal i32 @together(ptr %table, ptr %numbers, i64 %threads, ptr %function) {
  call void @settle()
  store ptr %function, ptr @function
  store ptr %table, ptr @table
  store ptr %numbers, ptr @numbers
  store i64 %threads, ptr @threads
  %phase = load atomic i64, ptr @phase acquire, align 8
  store i64 %phase, ptr @first
  store atomic i64 0, ptr @wrong monotonic, align 8
  %others = sub i64 1, %threads
  store atomic i64 %others, ptr @pending monotonic, align 8
  %before = load atomic i64, ptr @generation monotonic, align 8
  %launches = and i64 %before, -256
  %count = add i64 %launches, 256
  %next = or i64 %count, %threads
  store atomic i64 %next, ptr @generation seq_cst, align 8
  %sleeping = load atomic i64, ptr @asleep seq_cst, align 8
  %nobody = icmp eq i64 %sleeping, 0
  br i1 %nobody, label %work, label %wake
wake:
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_cond_broadcast(ptr @condition)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %work
work:
  call void @take.part(i64 0)
  call void @await(ptr @pending, i64 0, i64 0)
  %wrong = load atomic i64, ptr @wrong monotonic, align 8
  %result = trunc i64 %wrong to i32
  ret i32 %result
}

; Run a function on several threads, or all of its shares on this one if the others are busy or seldom let run: the
; results are the same. BLAS computes on one thread meanwhile.
define i32 @launch(ptr %table, ptr %numbers, i64 %wanted, ptr %function) {
  %there = load atomic i64, ptr @there acquire, align 8
  %threads = call i64 @llvm.smin.i64(i64 %wanted, i64 %there)
  %claim = cmpxchg ptr @busy, i64 0, i64 1 acquire monotonic
  %free = extractvalue { i64, i1 } %claim, 1
  br i1 %free, label %mine, label %serial
serial:
  %only = call i32 %function(ptr %table, ptr %numbers, i64 0, i64 %threads, i64 ALONE)
  ret i32 %only
mine:
  %blas = call i32 @deepcore_blas_threads()
  call void @deepcore_set_blas_threads(i32 1)
  %single = icmp eq i64 %threads, 1
  br i1 %single, label %alone, label %ask
ask:
  %begin = call i64 @time()
  %until = load i64, ptr @until
  %crowded = icmp slt i64 %begin, %until
  br i1 %crowded, label %alone, label %parallel
alone:
  %own = call i32 %function(ptr %table, ptr %numbers, i64 0, i64 %threads, i64 ALONE)
  br label %done
parallel:
  %all = call i32 @together(ptr %table, ptr %numbers, i64 %threads, ptr %function)
  %end = call i64 @time()
  call void @note(i64 %begin, i64 %end)
  br label %done
done:
  %wrong = phi i32 [ %own, %alone ], [ %all, %parallel ]
  call void @deepcore_set_blas_threads(i32 %blas)
  call void @unlock(ptr @busy)
  ret i32 %wrong
}
declare i64 @llvm.smin.i64(i64, i64)

; Do the item of a thread. BLAS has things for each number of a thread, and uses the low numbers for its own threads,
; which it does not give up: factorizations wait for them. So these here have the high numbers.
define internal i32 @item(ptr %work, ptr %nothing, i64 %id, i64 %threads, i64 %phase) {
  %function.at = getelementptr %work, ptr %work, i64 0, i32 0
  %size.at = getelementptr %work, ptr %work, i64 0, i32 1
  %items.at = getelementptr %work, ptr %work, i64 0, i32 2
  %extra.at = getelementptr %work, ptr %work, i64 0, i32 3
  %function = load ptr, ptr %function.at
  %size = load i64, ptr %size.at
  %items = load ptr, ptr %items.at
  %extra = load i32, ptr %extra.at
  %offset = mul i64 %size, %id
  %own = getelementptr i8, ptr %items, i64 %offset
  %last.first = sub i64 HIGHEST, %id
  %number = trunc i64 %last.first to i32
  call void %function(i32 %number, ptr %own, i32 %extra)
  ret i32 0
}

; What a thread does that lives for one item.
define internal ptr @mayfly(ptr %argument) {
  %id.at = getelementptr { ptr, i64 }, ptr %argument, i64 0, i32 1
  %work = load ptr, ptr %argument
  %id = load i64, ptr %id.at
  call i32 @item(ptr %work, ptr null, i64 %id, i64 0, i64 0)
  ret ptr null
}

; Do all items on threads that are made for it.
define internal void @apart(ptr %work, i64 %count) {
  %handles = alloca i64, i64 %count
  %arguments = alloca { ptr, i64 }, i64 %count
  br label %make
make:
  %id = phi i64 [ 1, %0 ], [ %next, %made ]
  %all = icmp sge i64 %id, %count
  br i1 %all, label %own, label %each
each:
  %argument = getelementptr { ptr, i64 }, ptr %arguments, i64 %id
  %id.at = getelementptr { ptr, i64 }, ptr %argument, i64 0, i32 1
  store ptr %work, ptr %argument
  store i64 %id, ptr %id.at
  %handle.at = getelementptr i64, ptr %handles, i64 %id
  %failed = call i32 @pthread_create(ptr %handle.at, ptr null, ptr @mayfly, ptr %argument)
  %is.there = icmp eq i32 %failed, 0
  br i1 %is.there, label %made, label %lost
lost:
  call void @abort()
  unreachable
made:
  %next = add i64 %id, 1
  br label %make
own:
  call i32 @item(ptr %work, ptr null, i64 0, i64 0, i64 0)
  br label %join
join:
  %j = phi i64 [ 1, %own ], [ %later, %wait ]
  %joined = icmp sge i64 %j, %count
  br i1 %joined, label %done, label %wait
wait:
  %at = getelementptr i64, ptr %handles, i64 %j
  %handle = load i64, ptr %at
  call i32 @pthread_join(i64 %handle, ptr null)
  %later = add i64 %j, 1
  br label %join
done:
  ret void
}

; Compute a product for BLAS, which calls this with an item for each thread. They wait for each other, so each has to
; have a thread: of these here, or, if somebody has them, a new one.
define void @lend(i32 %sync, ptr %function, i32 %number, i64 %size, ptr %items, i32 %extra) {
  %work = alloca %work
  %function.at = getelementptr %work, ptr %work, i64 0, i32 0
  %size.at = getelementptr %work, ptr %work, i64 0, i32 1
  %items.at = getelementptr %work, ptr %work, i64 0, i32 2
  %extra.at = getelementptr %work, ptr %work, i64 0, i32 3
  store ptr %function, ptr %function.at
  store i64 %size, ptr %size.at
  store ptr %items, ptr %items.at
  store i32 %extra, ptr %extra.at
  %count = sext i32 %number to i64
  call void @lock(ptr @lent)
  %alone = icmp eq i64 %count, 1
  br i1 %alone, label %one, label %several
one:
  call i32 @item(ptr %work, ptr null, i64 0, i64 1, i64 1)
  br label %done
several:
  %most = call i64 @llvm.smin.i64(i64 %count, i64 MOST)
  %before = load atomic i64, ptr @there acquire, align 8
  %enough = icmp sge i64 %before, %most
  br i1 %enough, label %ask, label %more
more:
  call void @start(i64 %most)
  br label %ask
ask:
  %there = load atomic i64, ptr @there acquire, align 8
  %fits = icmp sle i64 %count, %there
  br i1 %fits, label %claim, label %other
claim:
  %claimed = cmpxchg ptr @busy, i64 0, i64 1 acquire monotonic
  %free = extractvalue { i64, i1 } %claimed, 1
  br i1 %free, label %own, label %other
own:
  call i32 @together(ptr %work, ptr null, i64 %count, ptr @item)
  call void @unlock(ptr @busy)
  br label %done
other:
  call void @apart(ptr %work, i64 %count)
  br label %done
done:
  call void @unlock(ptr @lent)
  ret void
}
