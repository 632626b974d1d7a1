; Shares of the work. A program is a sequence of phases, and each of them has some shares. A thread does its own first,
; and then those that nobody has begun: it does not wait for a thread that the system does not let run. When all shares
; of a phase are done, the next one begins. Phases are counted from one program to the next. A thread that computes
; alone does not count them: its phases are less than 0.

@phase = internal global i64 1, align 64         ; which is now
@done = internal global i64 0, align 64          ; how many of its shares are done
@taken = internal global [SHARES x [8 x i64]] zeroinitializer, align 64  ; the phase in which each was begun last

; Whether a thread is the one that does a share.
define i1 @take(i64 %phase, i64 %share) {
  %alone = icmp slt i64 %phase, 0
  br i1 %alone, label %yes, label %look
look:
  %at = getelementptr [8 x i64], ptr @taken, i64 %share
  %before = load atomic i64, ptr %at monotonic, align 8
  %free = icmp slt i64 %before, %phase
  br i1 %free, label %claim, label %no
claim:
  %claimed = cmpxchg ptr %at, i64 %before, i64 %phase monotonic monotonic
  %mine = extractvalue { i64, i1 } %claimed, 1
  ret i1 %mine
yes:
  ret i1 true
no:
  ret i1 false
}

; A share is done, of so many.
define void @give(i64 %phase, i64 %shares) {
  %alone = icmp slt i64 %phase, 0
  br i1 %alone, label %over, label %count
count:
  %single = icmp eq i64 %shares, 1
  br i1 %single, label %next, label %add
add:
  %before = atomicrmw add ptr @done, i64 1 acq_rel
  %now = add i64 %before, 1
  %last = icmp eq i64 %now, %shares
  br i1 %last, label %reset, label %over
reset:
  store atomic i64 0, ptr @done monotonic, align 8
  br label %next
next:
  %following = add i64 %phase, 1
  store atomic i64 %following, ptr @phase release, align 8
  br label %over
over:
  ret void
}

; Wait until all shares are done.
define void @meet(i64 %phase, i64 %id) {
  %alone = icmp slt i64 %phase, 0
  br i1 %alone, label %over, label %wait
wait:
  %next = add i64 %phase, 1
  call void @await(ptr @phase, i64 %next, i64 %id)
  br label %over
over:
  ret void
}
