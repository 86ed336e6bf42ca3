;; The empty plugin: keeps every row and looks at none. Its component is `plugin.wasm`, beside this file.
;;
;; Answers that are always the same are data in the layout of the canonical ABI: words of 32 bits, lists and texts as
;; address and length.
(module
  (memory (export "memory") 1)
  (data (i32.const 16) "empty0.1.0keeps every row")

  ;; A schema message of no columns: prefix, then the flatbuffers of a message and of its schema.
  (data (i32.const 64)
    "\ff\ff\ff\ff\30\00\00\00"
    "\10\00\00\00\0a\00\0c\00\08\00\0a\00\04\00\00\00\0c\00\00\00\10\00\00\00\04\00\01\00"
    "\08\00\08\00\00\00\04\00\08\00\00\00\04\00\00\00\00\00\00\00")

  ;; What it is: name, version, summary, no schema of a configuration, deterministic, asks for nothing.
  (data (i32.const 128)
    "\10\00\00\00\05\00\00\00" "\15\00\00\00\05\00\00\00" "\1a\00\00\00\0f\00\00\00"
    "\00\00\00\00\00\00\00\00" "\01\00\00\00" "\00\00\00\00\00\00\00\00")
  (func (export "streamhost:plugin/plugin@0.9.0#describe") (result i32)
    (i32.const 128))

  ;; What it agrees to: reads all columns, adds those of the empty schema, has no side outputs.
  (data (i32.const 192)
    "\00\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00"
    "\01\00\00\00\40\00\00\00\38\00\00\00" "\00\00\00\00\00\00\00\00")
  (func (export "streamhost:plugin/plugin@0.9.0#bind") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 192))

  ;; Its outcome: `keep` with a bitmap whose address and length `process` fills in.
  (data (i32.const 256) "\00\00\00\00" "\01\00\00\00")
  (func (export "streamhost:plugin/transform@0.9.0#process")
    (param i32 i32 i64 i32 i32 i32 i64 i64) (param $batch i32) (param $size i32) (result i32)
    (local $bits i32) (local $bytes i32)
    (local.set $bytes (i32.div_u (i32.add (call $rows (local.get $batch)) (i32.const 7)) (i32.const 8)))
    (local.set $bits (call $allocate (local.get $bytes)))
    (memory.fill (local.get $bits) (i32.const 255) (local.get $bytes))
    (i32.store (i32.const 264) (local.get $bits))
    (i32.store (i32.const 268) (local.get $bytes))
    (i32.const 256))

  ;; The rows of a record-batch message: behind the prefix of eight bytes the message, in it the header, in it the length.
  (func $rows (param $batch i32) (result i32)
    (local $header i32)
    (local.set $header
      (call $field (call $target (i32.add (local.get $batch) (i32.const 8))) (i32.const 2)))
    (i32.load (call $field (call $target (local.get $header)) (i32.const 0))))
  ;; Where the flatbuffers offset at an address points.
  (func $target (param $at i32) (result i32)
    (i32.add (local.get $at) (i32.load (local.get $at))))
  ;; The address of a field of a flatbuffers table; its vtable says how far behind the table's start.
  (func $field (param $table i32) (param $slot i32) (result i32)
    (i32.add (local.get $table)
      (i32.load16_u offset=4
        (i32.add
          (i32.sub (local.get $table) (i32.load (local.get $table)))
          (i32.mul (local.get $slot) (i32.const 2))))))

  ;; Memory grows upwards through a call and is free again after it.
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_post_streamhost:plugin/transform@0.9.0#process") (param i32)
    (global.set $free (i32.const 4096)))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $allocate (local.get 3)))
  (func $allocate (param $size i32) (result i32)
    (local $at i32) (local $pages i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.set $pages (i32.shr_u (i32.add (global.get $free) (i32.const 65535)) (i32.const 16)))
    (if (i32.gt_u (local.get $pages) (memory.size))
      (then
        (if (i32.eq (i32.const -1) (memory.grow (i32.sub (local.get $pages) (memory.size))))
          (then (unreachable)))))
    (local.get $at)))
