//! Terraform: the stacks of `deploy/terraform`, checked, tried against a provider that only pretends, and
//! applied on two emulators of AWS, of which neither does all of it.

use super::server::Server;
use super::{Outcome, walkthrough};
use crate::{ci, compiled};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, ScopedJoinHandle};
use tempfile::TempDir;
use xtask::servers::daemon::free_port;
use xtask::servers::emulator::{MINISTACK, MOTO, Running};
use xtask::tools::{below_target, on_path, output};

/// A stack, and how it is tried.
struct Stack {
    name: &'static str,
    /// Which services the first emulator lacks, or forgets a part of; the second has them.
    on_moto: &'static [&'static str],
    /// What neither has is left out.
    variables: &'static [&'static str],
    /// The variable that names what would have to be built.
    file: Option<&'static str>,
    is_removed: bool,
}

const STACKS: [Stack; 3] = [
    Stack {
        name: "serverless",
        on_moto: &["SERVICEDISCOVERY", "APIGATEWAYV2", "CLOUDWATCH"],
        variables: &[
            "image=registry.example.org/orderd:1",
            "simulated_payments=true",
            "architecture=x86_64",
            "api_max_count=2",
            "wait_for_tasks=false",
            "deletion_protection=false",
            "flow_logs=false",
        ],
        file: Some("function_zip"),
        is_removed: true,
    },
    Stack {
        name: "ecs",
        on_moto: &["SERVICEDISCOVERY", "APIGATEWAYV2", "CLOUDWATCH"],
        variables: &[
            "image=registry.example.org/orderd:1",
            "simulated_payments=true",
            "plain_http=true",
            "api_max_count=2",
            "worker_max_count=1",
            "wait_for_tasks=false",
            "deletion_protection=false",
            "flow_logs=false",
            "database_monitoring=false",
        ],
        file: None,
        is_removed: true,
    },
    Stack {
        name: "single-vm",
        on_moto: &["EC2", "IAM", "STS", "CLOUDWATCH"],
        variables: &[
            // One that moto has.
            "ami_id=ami-12c6146b",
            "simulated_payments=true",
            "flow_logs=false",
            "detailed_monitoring=false",
        ],
        file: Some("archive"),
        // moto keeps the interface of a machine that has ended.
        is_removed: false,
    },
];

/// Formatting, validity, and the tests of each stack.
pub(super) fn check(root: &Path) -> Result<Outcome> {
    let Some(terraform) = Terraform::find(root) else {
        return Ok(missing());
    };
    output(
        terraform
            .command("")
            .args(["fmt", "-check", "-recursive", "-diff"]),
    )?;
    let mut passed = Vec::new();
    for stack in STACKS.iter().map(|stack| stack.name) {
        terraform.init(stack)?;
        output(terraform.command(stack).args(["validate", "-no-color"]))?;
        let said = output(terraform.command(stack).args(["test", "-no-color"]))?;
        // As "Success! 25 passed, 0 failed."
        let count = said
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("Success! "));
        let count = count.and_then(|rest| rest.split_once(' '));
        let count: u32 = count.context("it says how many passed")?.0.parse()?;
        ensure!(count > 0, "{stack} has no tests");
        passed.push(format!("{stack} {count} passed"));
    }
    Ok(Outcome::Holds(passed.join(", ")))
}

/// Each stack as a user applies it: made, planned again without a difference, and removed; all at once,
/// for nearly all of it is waiting. Where both emulators lack something, a variable of the stack leaves
/// it out, and the tests of [`check`] cover it.
pub(super) fn apply(root: &Path) -> Result<Outcome> {
    let Some(terraform) = Terraform::find(root) else {
        return Ok(missing());
    };
    let files = tempfile::tempdir()?;
    let zip = files.path().join("function.zip");
    let mut command = Command::new("python3");
    output(
        command
            .args(["-m", "zipfile", "--create"])
            .arg(&zip)
            .arg(root.join("LICENSE")),
    )?;
    let (ministack, moto) = (MINISTACK.start()?, MOTO.start()?);
    let made: Vec<Result<String>> = thread::scope(|scope| {
        let begin = |stack: &'static Stack| {
            let mut environment = environment(&ministack);
            let elsewhere = |service| (format!("AWS_ENDPOINT_URL_{service}"), moto.url());
            environment.extend(stack.on_moto.iter().map(elsewhere));
            let mut variables: Vec<String> =
                stack.variables.iter().map(|it| (*it).to_owned()).collect();
            // What is in it is no matter.
            let file = stack.file.map(|name| format!("{name}={}", zip.display()));
            variables.extend(file);
            // The emulators are shared, and names must not meet.
            variables.push(format!("name=check-{}", stack.name));
            let terraform = &terraform;
            scope.spawn(move || made(terraform, stack, variables, &environment))
        };
        let threads: Vec<_> = STACKS.iter().map(begin).collect();
        let join = |thread: ScopedJoinHandle<'_, _>| thread.join().expect("it does not panic");
        threads.into_iter().map(join).collect()
    });
    let made = made.into_iter().collect::<Result<Vec<_>>>()?.join(", ");
    Ok(Outcome::Holds(format!(
        "resources made, unchanged, removed: {made}"
    )))
}

/// Makes a stack and removes it; gives how much there was of it.
fn made(
    terraform: &Terraform,
    stack: &'static Stack,
    variables: Vec<String>,
    environment: &[(String, String)],
) -> Result<String> {
    let applied = Applied::new(terraform, stack.name, variables, environment)?;
    let difference = applied.run(&["plan", "-detailed-exitcode"]);
    difference.with_context(|| format!("{}: a second plan is not empty", stack.name))?;
    let resources = output(&mut applied.command(&["state", "list"]))?;
    let count = resources.lines().count();
    if stack.is_removed {
        applied.destroy()?;
        return Ok(format!("{} {count}", stack.name));
    }
    Ok(format!(
        "{} {count} (not removed: the emulator cannot)",
        stack.name
    ))
}

/// What the older event system's users do, through the emulated gateway, with the function working on
/// the queue.
pub(super) fn walk(root: &Path) -> Result<Outcome> {
    let Some(terraform) = Terraform::find(root) else {
        return Ok(missing());
    };
    let orderd = compiled::orderd(root)?;
    ci::zip_function(root)?;
    let ministack = MINISTACK.start()?;
    let api = free_port()?;
    let providers = Server::start(&orderd, &["providers", "--books", "books.jsonl"])?;
    let variables = vec![
        format!("function_zip={}", root.join(ci::FUNCTION).display()),
        format!("endpoint_url={}", ministack.url()),
        format!("api_url=http://127.0.0.1:{api}"),
        format!(
            "payment_api_url=http://127.0.0.1:{}/payments",
            providers.port
        ),
    ];
    let environment = environment(&ministack);
    let applied = Applied::new(&terraform, "emulated", variables, &environment)?;
    let said = |name: &str| output(applied.command(&["output"]).args(["-raw", name]));
    let mut settings = environment.clone();
    settings.extend([
        ("DATABASE_URL".to_owned(), said("database_url")?),
        ("SNS_TOPIC_ARN".to_owned(), said("topic_arn")?),
        (
            "COMPLETION_SNS_TOPIC_ARN".to_owned(),
            said("completed_topic_arn")?,
        ),
    ]);
    let server = Server::start_at(api, &orderd, &["serve", "--roles", "api"], &settings)?;
    walkthrough::fulfilled(&said("http_api_url")?)?;
    drop(server);
    let mut verify = Command::new(&orderd);
    output(verify.arg("verify").envs(settings))?;
    applied.destroy()?;
    let told = "an order was placed through the gateway and completed by the function";
    Ok(Outcome::Holds(told.to_owned()))
}

/// A stack that is there; removed when it is done, with the emulator where it is not.
struct Applied<'t> {
    terraform: &'t Terraform,
    stack: &'static str,
    variables: Vec<String>,
    environment: Vec<(String, String)>,
    state: TempDir,
}

impl<'t> Applied<'t> {
    fn new(
        terraform: &'t Terraform,
        stack: &'static str,
        variables: Vec<String>,
        environment: &[(String, String)],
    ) -> Result<Self> {
        terraform.init(stack)?;
        let applied = Self {
            terraform,
            stack,
            variables,
            environment: environment.to_vec(),
            state: tempfile::tempdir()?,
        };
        applied.run(&["apply", "-auto-approve"])?;
        Ok(applied)
    }

    /// Removes it. Where an emulator has lost an answer, what was removed is refused to be removed again,
    /// which the next destroy finds out, as a user's would.
    fn destroy(&self) -> Result<()> {
        let destroy = || self.run(&["destroy", "-auto-approve"]);
        destroy().or_else(|error| {
            println!("{}: once more, since {}", self.stack, error.root_cause());
            destroy()
        })
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        println!("terraform {} {}", arguments[0], self.stack);
        let mut command = self.command(arguments);
        command.arg("-no-color");
        command.args(self.variables.iter().map(|it| format!("-var={it}")));
        output(&mut command)?;
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.terraform.command(self.stack);
        let state = self.state.path().join("terraform.tfstate");
        command
            .args(arguments)
            .arg(format!("-state={}", state.display()))
            .envs(self.environment.iter().cloned());
        command
    }
}

fn environment(emulator: &Running) -> Vec<(String, String)> {
    let variables = emulator.variables().into_iter();
    variables
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn missing() -> Outcome {
    Outcome::NotRun("there is no terraform, and it cannot be installed from here".to_owned())
}

/// Terraform, and where its provider is.
struct Terraform {
    program: PathBuf,
    directory: PathBuf,
    /// A directory of providers, for machines that reach no registry of them.
    plugins: Option<PathBuf>,
}

impl Terraform {
    fn find(root: &Path) -> Option<Self> {
        let program = on_path("terraform")?;
        let plugins = |place: PathBuf| {
            let inside = fs::read_dir(&place).ok()?;
            let mut inside = inside.flatten().map(|host| host.path());
            inside.find(|host| host.join("hashicorp/aws").is_dir())?;
            Some(place)
        };
        let places = fs::read_dir("/opt").into_iter().flatten().flatten();
        Some(Self {
            program,
            directory: root.join("deploy/terraform"),
            plugins: places.map(|place| place.path()).find_map(plugins),
        })
    }

    /// A command in a stack, which leaves nothing there.
    fn command(&self, stack: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.directory.join(stack))
            .env("TF_DATA_DIR", below_target("terraform").join(stack))
            .env("TF_IN_AUTOMATION", "true")
            .env("TF_INPUT", "false")
            .env("CHECKPOINT_DISABLE", "true");
        // It may name a file that is not there, which is an error of its own.
        if std::env::var_os("TF_CLI_CONFIG_FILE").is_some_and(|file| !Path::new(&file).exists()) {
            command.env_remove("TF_CLI_CONFIG_FILE");
        }
        command
    }

    fn init(&self, stack: &str) -> Result<()> {
        let mut command = self.command(stack);
        command.args(["init", "-no-color", "-backend=false"]);
        if let Some(plugins) = &self.plugins {
            command.arg(format!("-plugin-dir={}", plugins.display()));
        }
        output(&mut command)?;
        Ok(())
    }
}
