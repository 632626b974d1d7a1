; Keep the other threads off the processor that this one is on. Linux likes to wake a thread where the one is that wakes
; it, and there it would wait for its turn, of milliseconds, while this one waits for it. Of many threads that matters
; less, and to tell them all takes longer.

declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @pthread_setaffinity_np(i64, i64, ptr)

define internal void @settle() {
  %before = load atomic i64, ptr @processor monotonic, align 8
  %number = call i32 @sched_getcpu()
  %processor = sext i32 %number to i64
  %same = icmp eq i64 %before, %processor
  br i1 %same, label %done, label %count
count:
  %there = load atomic i64, ptr @there acquire, align 8
  %many = icmp sgt i64 %there, 8
  br i1 %many, label %done, label %moved
moved:
  store atomic i64 %processor, ptr @processor monotonic, align 8
  %mask = alloca [16 x i64]
  %failed = call i32 @sched_getaffinity(i32 0, i64 128, ptr %mask)
  %known = icmp sge i32 %failed, 0
  br i1 %known, label %leave, label %done
leave:
  %word = lshr i64 %processor, 6
  %at = getelementptr i64, ptr %mask, i64 %word
  %bit = and i64 %processor, 63
  %flag = shl i64 1, %bit
  %others = xor i64 %flag, -1
  %allowed = load i64, ptr %at
  %without = and i64 %allowed, %others
  store i64 %without, ptr %at
  br label %each
each:
  %i = phi i64 [ 1, %leave ], [ %next, %move ]
  %all = icmp sge i64 %i, %there
  br i1 %all, label %done, label %move
move:
  %handle.at = getelementptr i64, ptr @handles, i64 %i
  %handle = load i64, ptr %handle.at
  call i32 @pthread_setaffinity_np(i64 %handle, i64 128, ptr %mask)
  %next = add i64 %i, 1
  br label %each
done:
  ret void
}
