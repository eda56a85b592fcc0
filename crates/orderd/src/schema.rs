//! `orderd schema`: what programs can read of the API, of events and of the configuration.

use std::process::ExitCode;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which
    of: Of,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Of {
    #[value(help = "Every route, as OpenAPI 3.1")]
    Openapi,
    #[value(help = "Every event, as AsyncAPI 3.0")]
    Asyncapi,
    #[value(help = "Every setting of orderd.toml, as JSON Schema")]
    Config,
}

/// Runs the sub-command.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let document: serde_json::Value = match args.of {
        Of::Openapi => serde_json::from_str(api::openapi())?,
        Of::Asyncapi => serde_json::from_str(api::asyncapi())?,
        Of::Config => setup::config::schema(),
    };
    println!("{document:#}");
    Ok(ExitCode::SUCCESS)
}
