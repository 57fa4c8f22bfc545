;; Keeps every object it makes: a list that grows until there is no heap left.
(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $out))
  (core module $attack
    (rec (type $node (struct (field (ref null $node)) (field (ref null $bytes))))
         (type $bytes (array (mut i8))))
    (global $list (mut (ref null $node)) (ref.null $node))
    (func (export "handle") (param i32 i32)
      (loop $again
        (global.set $list
          (struct.new $node (global.get $list) (array.new $bytes (i32.const 1) (i32.const 4096))))
        (br $again))))
  (core instance $guest (instantiate $attack))
  (func $handle (param "request" (own $request)) (param "response-out" (own $out))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
