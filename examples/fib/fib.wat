;; The classic, recursive: fib(0) = 0, fib(1) = 1. Results are also kept in linear memory, the
;; n-th at byte 8n, so that a second reader of the memory could see them.
(module
  (memory (export "memory") 1)

  (func $fibonacci (export "fibonacci") (param $n i32) (result i64)
    (local $value i64)
    (if (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.set $value (i64.extend_i32_s (local.get $n))))
      (else
        (local.set $value
          (i64.add
            (call $fibonacci (i32.sub (local.get $n) (i32.const 1)))
            (call $fibonacci (i32.sub (local.get $n) (i32.const 2)))))))
    ;; A page holds 8,192 results, more than 64 bits can count up to; below 0 is not kept.
    (if (i32.lt_u (local.get $n) (i32.const 8192))
      (then (i64.store (i32.mul (local.get $n) (i32.const 8)) (local.get $value))))
    (local.get $value)))
