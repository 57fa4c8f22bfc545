//! `fermyon:spin/llm@2.0.0`.

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:llm2; world imports { import fermyon:spin/llm@2.0.0; }",
        path: ["../../wit/fermyon-spin@2.0.0"],
        world: "tombolo:llm2/imports",
        imports: { default: async | trappable },
    });
}

pub(crate) use generated::fermyon::spin::llm;

crate::interfaces::interface!(llm);
