;; Grows a table until it is refused.
(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $out))
  (core module $attack
    (table $table 0 funcref)
    (func (export "handle") (param i32 i32)
      (loop $again
        (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 65536)) (i32.const -1))))
      unreachable))
  (core instance $guest (instantiate $attack))
  (func $handle (param "request" (own $request)) (param "response-out" (own $out))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
