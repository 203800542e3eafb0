//! The command line itself: complete, documented, and quiet about secrets.

use clap::{Command as Clap, CommandFactory, Parser};

use super::arguments::{Arguments, Command, Format};
use super::*;

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_and_option_says_what_it_does() {
    fn visit(command: &Clap) {
        assert!(command.get_about().is_some(), "{} says nothing", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {} says nothing", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(visit);
    }
    visit(&Arguments::command());
}

#[test]
fn options_may_follow_the_command() {
    let arguments = Arguments::parse_from(["gatewarden", "token", "list", "--output", "json", "--config", "x"]);
    assert_eq!(arguments.common.output, Format::Json);
    assert_eq!(arguments.common.config.to_str(), Some("x"));
    assert!(matches!(arguments.command, Command::Token { .. }));
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for line in [
        &["gatewarden"][..],
        &["gatewarden", "server"],
        &["gatewarden", "cluster", "kubeconfig"],
        &["gatewarden", "user", "add"],
        &["gatewarden", "session", "revoke"],
        &["gatewarden", "session", "revoke", "s-1", "--user", "alice"],
    ] {
        assert_eq!(Arguments::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
    }
}

#[test]
fn an_error_is_told_with_its_causes_in_one_line() {
    let cause = std::io::Error::other("the disk is gone");
    let error = CommandError::failed(gatewarden_proxy::StartError::Worker(cause));
    assert_eq!(error.to_string(), "cannot start a worker: the disk is gone");
}
