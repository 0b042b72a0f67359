//! The arguments of `seawall backup` and `seawall restore`.

use super::args::{PlanForm, WaitFlags};
use super::named::Named;
use crate::core::names::Name;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum BackupVerb {
    /// Take a backup of a service now
    #[command(visible_alias = "create")]
    Now(NowArgs),
    /// List backups, the newest first
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Everything about one
    Show(OneArgs),
    /// Forget one; with --confirm, remove what was stored too
    #[command(visible_alias = "rm")]
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub struct NowArgs {
    /// For example @/main, or main
    #[arg(value_name = "NAME")]
    pub service: Named,
    /// The BackupTarget that it is put into; may be left out where there is one only
    #[arg(short, long, value_name = "NAME", value_parser = Name::parse)]
    pub target: Option<Name>,
    /// What it is called; by default the service's name and the time
    #[arg(short, long, value_parser = Name::parse)]
    pub name: Option<Name>,
    /// Print the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub wait: WaitFlags,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this service
    #[arg(value_name = "NAME")]
    pub service: Option<Named>,
    #[arg(short, long, value_enum, default_value_t = PlanForm::Text)]
    pub output: PlanForm,
}

#[derive(Debug, Args)]
pub struct OneArgs {
    /// As `list` shows it
    #[arg(value_parser = Name::parse)]
    pub name: Name,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[arg(value_parser = Name::parse)]
    pub name: Name,
    /// Its name, if what was stored is to go for good
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Print the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub enum RestoreVerb {
    /// What can be restored of which kind of service, and what cannot
    Capabilities(CapabilitiesArgs),
    /// List the backups that can be restored, the newest first
    ListBackups(ListArgs),
    /// Put a backup into a new service beside the old one
    Start(StartArgs),
    /// How restores are, the newest first
    #[command(visible_alias = "list")]
    Status(StatusArgs),
}

#[derive(Debug, Args)]
pub struct CapabilitiesArgs {
    /// Only of this service
    #[arg(value_name = "NAME")]
    pub service: Option<Named>,
    #[arg(short, long, value_enum, default_value_t = PlanForm::Text)]
    pub output: PlanForm,
}

#[derive(Debug, Args)]
pub struct StartArgs {
    /// The backup, as `list-backups` shows it
    #[arg(value_parser = Name::parse)]
    pub backup: Name,
    /// The new service; it is made as the old one is, with a password and a port of its own
    #[arg(long, value_name = "NAME", value_parser = Name::parse)]
    pub to: Name,
    /// Print the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub wait: WaitFlags,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only this one
    #[arg(value_parser = Name::parse)]
    pub name: Option<Name>,
    #[arg(short, long, value_enum, default_value_t = PlanForm::Text)]
    pub output: PlanForm,
}
