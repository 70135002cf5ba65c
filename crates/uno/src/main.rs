//! The `uno` binary: arguments, wiring, output. The work is done by the crates below.

mod args;
mod bench;
mod commands;
mod config;
mod demo;
mod learn;
mod output;
mod report;
mod roles;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use output::Console;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("UNO_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    let console = Console::new(cli.global.json, cli.global.quiet);
    match run(cli.command, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::print_error(&error);
            ExitCode::from(if commands::is_usage(&error) { 2 } else { 1 })
        }
    }
}

fn run(command: Command, console: &Console) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => commands::demo::run(&args, console),
        Command::Models(args) => commands::models::run(&args, console),
        Command::Ingest(args) => commands::ingest::run(&args, console),
        Command::Learn(args) => commands::learn::run(&args, console),
        Command::Evolve(args) => commands::evolve::run(&args, console),
        Command::Ask(args) => commands::ask::run(&args, console),
        Command::Serve(args) => commands::serve::run(&args, console),
        Command::Keys(args) => commands::keys::run(&args, console),
        Command::Report(args) => commands::report::run(&args, console),
        Command::Config(args) => commands::config::run(&args, console),
        Command::Doctor(args) => commands::doctor::run(&args, console),
        Command::Adapters(args) => commands::adapters::run(&args, console),
        Command::Bench(args) => commands::bench::run(&args, console),
    }
}
