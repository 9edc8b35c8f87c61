//! StreamFlow: real-time fraud detection and an exact medallion in PostgreSQL, from one dataflow graph.

// Nothing outside of the binary uses its items: a name that says all needs no comment.
#![allow(missing_docs)]

mod bench;
mod cli;
mod cluster;
mod commands;
mod config;
mod database;
mod demo;
mod explain;
mod histogram;
mod instant;
mod lock;
mod logging;
mod maintenance;
mod memory;
mod misuse;
mod observe;
mod offsets;
mod output;
mod pace;
mod pipeline;
mod publisher;
mod replay;
mod resubmit;
mod rules;
mod stop;

use clap::Parser;
use cli::{Cli, Command};
use misuse::Misuse;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(cli.log_format, cli.command.log_level());
    memory::return_what_is_freed();
    let outcome = match cli.command {
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::Demo(arguments) => commands::demo::run(&arguments),
        Command::Erase(arguments) => commands::erase::run(&arguments),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Generate(arguments) => commands::generate::run(&arguments),
        Command::Maintain(arguments) => commands::maintain::run(&arguments),
        Command::Migrate(arguments) => commands::migrate::run(&arguments),
        Command::Offsets(arguments) => commands::offsets::run(&arguments),
        Command::Rules(arguments) => commands::rules::run(&arguments),
        Command::Publisher(arguments) => commands::publisher::run(&arguments),
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Replay(arguments) => commands::replay::run(&arguments),
        Command::Resubmit(arguments) => commands::resubmit::run(&arguments),
        Command::Verify(arguments) => commands::verify::run(&arguments, cli.log_format),
    };
    outcome.unwrap_or_else(|error| {
        logging::fatal(cli.log_format, &error);
        ExitCode::from(if error.is::<Misuse>() { 2 } else { 1 })
    })
}
