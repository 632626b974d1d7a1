; Whether it is worth while to compute together. On a machine that is busy otherwise, a thread waits for milliseconds
; until the system lets the others run. Where the one that launches has waited for much of its time, it computes their
; shares too, for a while, and tries again: soon at first, and later if that did not help. A lengthy program is over
; sooner with the others, who do what they can.

@spent = internal global i64 0, align 64         ; how long it computed with the others of late, in nanoseconds, ...
@waited = internal global i64 0                  ; ... and for how long of that it waited for them
@patience = internal global i64 SOON             ; how long it computes alone when that is too long
@until = internal global i64 0                   ; when that is over

declare i32 @clock_gettime(i32, ptr)
declare i64 @llvm.umin.i64(i64, i64)

; The time, in nanoseconds.
define internal i64 @time() {
  %at = alloca { i64, i64 }
  call i32 @clock_gettime(i32 CLOCK, ptr %at)
  %rest.at = getelementptr { i64, i64 }, ptr %at, i64 0, i32 1
  %seconds = load i64, ptr %at
  %rest = load i64, ptr %rest.at
  %whole = mul i64 %seconds, 1000000000
  %time = add i64 %whole, %rest
  ret i64 %time
}

; Begin as where nobody has waited yet.
define internal void @calm() {
  store i64 0, ptr @spent
  store i64 0, ptr @waited
  store i64 SOON, ptr @patience
  store i64 0, ptr @until
  ret void
}

; Wait until a number has reached a value, and take notice if the thread that launches waits for long.
define internal void @await(ptr %flag, i64 %value, i64 %id) {
  br label %spin
spin:
  %turn = phi i64 [ 0, %0 ], [ %turns, %again ]
  %now = load atomic i64, ptr %flag acquire, align 8
  %there = icmp sge i64 %now, %value
  br i1 %there, label %done, label %patient
patient:
  %long = icmp eq i64 %turn, LONG
  br i1 %long, label %watch, label %again
again:
  call void @relax(i64 %turn)
  %turns = add i64 %turn, 1
  br label %spin
watch:
  %begin = call i64 @time()
  br label %wait
wait:
  %more = phi i64 [ LONG, %watch ], [ %mores, %on ]
  %later = load atomic i64, ptr %flag acquire, align 8
  %here = icmp sge i64 %later, %value
  br i1 %here, label %over, label %on
on:
  call void @relax(i64 %more)
  %mores = add i64 %more, 1
  br label %wait
over:
  %launches = icmp eq i64 %id, 0
  br i1 %launches, label %note, label %done
note:
  %end = call i64 @time()
  %took = sub i64 %end, %begin
  %before = load i64, ptr @waited
  %sum = add i64 %before, %took
  store i64 %sum, ptr @waited
  br label %done
done:
  ret void
}

; Take notice of what was computed together.
define internal void @note(i64 %begin, i64 %end) {
  %took = sub i64 %end, %begin
  %short = icmp ult i64 %took, LENGTHY
  br i1 %short, label %sum, label %forget.all
forget.all:
  store i64 0, ptr @spent
  store i64 0, ptr @waited
  ret void
sum:
  %before = load i64, ptr @spent
  %spent = add i64 %before, %took
  %waited = load i64, ptr @waited
  store i64 %spent, ptr @spent
  %some = icmp ugt i64 %waited, SLICE
  br i1 %some, label %compare, label %calm
compare:
  %five = mul i64 %waited, 5
  %two = mul i64 %spent, 2
  %much = icmp ugt i64 %five, %two
  br i1 %much, label %crowded, label %calm
crowded:
  %patience = load i64, ptr @patience
  %until = add i64 %end, %patience
  %twice = mul i64 %patience, 2
  %next = call i64 @llvm.umin.i64(i64 %twice, i64 LATE)
  store i64 %until, ptr @until
  store i64 %next, ptr @patience
  store i64 0, ptr @spent
  store i64 0, ptr @waited
  ret void
calm:
  %enough = icmp ugt i64 %spent, WINDOW
  br i1 %enough, label %forget, label %done
forget:
  %half.spent = lshr i64 %spent, 1
  %half.waited = lshr i64 %waited, 1
  store i64 %half.spent, ptr @spent
  store i64 %half.waited, ptr @waited
  store i64 SOON, ptr @patience
  br label %done
done:
  ret void
}
