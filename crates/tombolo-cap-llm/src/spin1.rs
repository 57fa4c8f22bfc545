//! `fermyon:spin/llm`, without a version, as Spin 1 had it: word for word that of 2.0.0.

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:llm1; world imports { import fermyon:spin/llm; }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:llm1/imports",
        imports: { default: async | trappable },
    });
}

pub(crate) use generated::fermyon::spin::llm;

crate::interfaces::interface!(llm);
