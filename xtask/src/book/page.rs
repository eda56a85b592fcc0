//! A page as commands: what stands in its fenced blocks.

/// A page, by its path from the root.
pub(super) struct Page {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
    /// What is wrong with the page itself.
    pub(super) faults: Vec<String>,
}

/// A block of commands. The words after its language, with commas between, say what is special of it.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) steps: Vec<Step>,
    /// `not-run: WHY`: it is not run here.
    pub(super) not_run: Option<String>,
    /// `server`: each command is left running, until the page ends.
    pub(super) is_server: bool,
    /// `stopped`: what was left running is ended before, as by Ctrl-C.
    pub(super) ends_servers: bool,
    /// `fails`: each command has to fail.
    pub(super) fails: bool,
}

/// A command, and what it prints.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) command: String,
    /// The lines that it prints; none say that it does not matter.
    pub(super) prints: Vec<String>,
}

/// Names by which some would mark commands too: one language has one name.
const OTHER_SHELLS: [&str; 6] = [
    "bash",
    "shell",
    "shellsession",
    "terminal",
    "zsh",
    "text,console",
];

impl Page {
    pub(super) fn read(path: String, text: &str) -> Self {
        let mut page = Self {
            path,
            text: text.to_owned(),
            blocks: Vec::new(),
            faults: Vec::new(),
        };
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let Some(fence) = Fence::begins(line) else {
                continue;
            };
            let inside: Vec<(usize, &str)> = lines
                .by_ref()
                .take_while(|(_, line)| !fence.ends(line))
                .map(|(number, line)| (number + 1, fence.inside(line)))
                .collect();
            page.block(number + 1, fence.info, &inside);
        }
        page
    }

    /// Whether anything of it is run.
    pub(super) fn runs(&self) -> bool {
        self.blocks.iter().any(|block| block.not_run.is_none())
    }

    /// How many commands are not run, by the reason.
    pub(super) fn not_run(&self) -> Vec<(usize, &str)> {
        let mut reasons: Vec<(usize, &str)> = Vec::new();
        for block in &self.blocks {
            let Some(why) = block.not_run.as_deref() else {
                continue;
            };
            match reasons.iter_mut().find(|(_, it)| *it == why) {
                Some((count, _)) => *count += block.steps.len(),
                None => reasons.push((block.steps.len(), why)),
            }
        }
        reasons
    }

    fn block(&mut self, number: usize, info: &str, lines: &[(usize, &str)]) {
        let (language, words) = info.split_once(',').unwrap_or((info, ""));
        let has_prompt = || lines.iter().any(|(_, line)| line.starts_with("$ "));
        let steps = match language.trim() {
            "console" => steps(lines),
            "sh" => vec![script(number, lines)],
            other if OTHER_SHELLS.contains(&other) || other.is_empty() && has_prompt() => {
                let what = "commands are in blocks `console` or `sh`";
                return self.faults.push(format!("{}:{number}: {what}", self.path));
            }
            _ => return,
        };
        match options(words) {
            Ok(block) => self.blocks.push(Block { steps, ..block }),
            Err(word) => {
                let fault = format!("{}:{number}: not a word for a block: {word}", self.path);
                self.faults.push(fault);
            }
        }
    }
}

/// The words after the language.
fn options(words: &str) -> Result<Block, &str> {
    let mut block = Block::default();
    let words = words.trim();
    if let Some(why) = words.strip_prefix("not-run:") {
        block.not_run = Some(why.trim().to_owned());
        return Ok(block);
    }
    for word in words.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        match word {
            "server" => block.is_server = true,
            "stopped" => block.ends_servers = true,
            "fails" => block.fails = true,
            _ => return Err(word),
        }
    }
    Ok(block)
}

/// A script is one step, each command of which has to succeed; in a shell below that of the page, which
/// would end with the first that fails. What it sets ends with it.
fn script(line: usize, lines: &[(usize, &str)]) -> Step {
    let lines: Vec<&str> = lines.iter().map(|(_, line)| *line).collect();
    Step {
        line,
        command: format!("(set -euo pipefail\n{}\n)", lines.join("\n")),
        prints: Vec::new(),
    }
}

/// Each `$ command`, on as many lines as end with a backslash, and what stands under it.
fn steps(lines: &[(usize, &str)]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for (number, line) in lines {
        let last = steps.last_mut();
        match (line.strip_prefix("$ "), last) {
            (_, Some(step)) if goes_on => {
                step.command.push('\n');
                step.command.push_str(line);
            }
            (Some(command), _) => steps.push(Step {
                line: *number,
                command: command.to_owned(),
                prints: Vec::new(),
            }),
            (None, Some(step)) => step.prints.push((*line).to_owned()),
            (None, None) => {}
        }
        goes_on = line.ends_with('\\') && (goes_on || line.starts_with("$ "));
    }
    for step in &mut steps {
        while step.prints.last().is_some_and(|it| it.trim().is_empty()) {
            step.prints.pop();
        }
    }
    steps
}

/// What begins and ends a block.
struct Fence<'a> {
    indent: usize,
    ticks: usize,
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn begins(line: &'a str) -> Option<Self> {
        let fence = line.trim_start();
        let info = fence.trim_start_matches('`');
        let ticks = fence.len() - info.len();
        (ticks >= 3 && !info.contains('`')).then(|| Self {
            indent: line.len() - fence.len(),
            ticks,
            info: info.trim(),
        })
    }

    fn ends(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.ticks && line.bytes().all(|byte| byte == b'`')
    }

    /// A line of the block without the blanks before the fence.
    fn inside<'line>(&self, line: &'line str) -> &'line str {
        let blanks = line.len() - line.trim_start().len();
        &line[blanks.min(self.indent)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_what_they_print_beneath_them() {
        let text = "```console\n$ one \\\n  more\nsaid\n\n$ two\n```\n";
        let page = Page::read("x.md".to_owned(), text);
        let [one, two] = &page.blocks[0].steps[..] else {
            panic!("{:?}", page.blocks)
        };
        assert_eq!((one.line, one.command.as_str()), (2, "one \\\n  more"));
        assert_eq!(one.prints, ["said"]);
        assert_eq!((two.line, two.prints.len()), (6, 0));
    }

    #[test]
    fn what_is_not_run_says_why() {
        let text = "```sh,not-run: needs AWS, and money\naws\n```\n```console\n$ ls\n```\n";
        let page = Page::read("x.md".to_owned(), text);
        assert_eq!(page.not_run(), [(1, "needs AWS, and money")]);
        assert!(page.runs());
    }

    #[test]
    fn a_block_that_would_be_overlooked_is_a_fault() {
        for text in [
            "```bash\nls\n```\n",
            "```\n$ ls\n```\n",
            "```sh,not_run\nls\n```\n",
        ] {
            assert_eq!(
                Page::read("x.md".to_owned(), text).faults.len(),
                1,
                "{text}"
            );
        }
    }
}
