//! A program of WASI 0.3: prints its arguments through a stream and ends well, or not.

struct Program;

wasip3::cli::command::export!(Program);

impl wasip3::exports::cli::run::Guest for Program {
    async fn run() -> Result<(), ()> {
        let arguments = wasip3::cli::environment::get_arguments();
        // As an answer to a request, if it is asked for one.
        let is_answer = arguments.iter().any(|argument| argument == "cgi");
        let head = if is_answer { "content-type: text/plain\n\n" } else { "" };
        let text = format!("{head}0.3 with {:?}\n", &arguments[1..]);
        let (mut writer, reader) = wasip3::wit_stream::new();
        let (written, ()) = futures::join!(async { wasip3::cli::stdout::write_via_stream(reader).await }, async move {
            let left = writer.write_all(text.into_bytes()).await;
            assert!(left.is_empty());
        });
        written.map_err(|_| ())?;
        if arguments.iter().any(|argument| argument == "fail") { Err(()) } else { Ok(()) }
    }
}
