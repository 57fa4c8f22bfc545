;; One instruction that writes all of a memory, again and again.
(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $out))
  (core module $attack
    (memory 960)
    (func (export "handle") (param i32 i32)
      (loop $again
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 62914560))
        (br $again))))
  (core instance $guest (instantiate $attack))
  (func $handle (param "request" (own $request)) (param "response-out" (own $out))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
