//! The lines to try, taken from the README, so that what is printed and what is documented cannot differ.

const README: &str = include_str!("../../../README.md");
const SECTION: &str = "## Use";
/// What the README has in place of a real key.
const KEY: &str = "KEY=sk-ant-...";
const ADDRESS: &str = "127.0.0.1:8000";

/// The README's shell lines, for a server on `port` that takes any key.
pub(super) fn to_try(port: u16) -> String {
    blocks(README).join("\n").replace(KEY, "KEY=demo").replace(ADDRESS, &format!("127.0.0.1:{port}"))
}

/// The shell blocks of the section that shows how to use the server.
fn blocks(readme: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let (mut in_section, mut in_block) = (false, false);
    for line in readme.lines() {
        match line {
            "```sh" if in_section => {
                in_block = true;
                blocks.push(String::new());
            }
            "```" => in_block = false,
            line if in_block => {
                if let Some(block) = blocks.last_mut() {
                    block.push_str(line);
                    block.push('\n');
                }
            }
            line if line.starts_with("## ") => in_section = line == SECTION,
            _ => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_blocks_of_the_section_are_taken() {
        let readme = "## Set up\n```sh\nno\n```\n## Use\nText\n```sh\none\n## two\n```\n```json\n{}\n```\n\
                      ### More\n```sh\nthree\n```\n## Embed\n```sh\nno\n```\n";
        assert_eq!(blocks(readme), ["one\n## two\n", "three\n"]);
    }

    #[test]
    fn the_readme_has_a_whole_session() {
        let lines = to_try(9123);
        for needed in ["127.0.0.1:9123/api/agents/launch", "/chat", "docker exec", "-X DELETE", "KEY=demo"] {
            assert!(lines.contains(needed), "{needed} is missing in:\n{lines}");
        }
        assert!(!lines.contains(":8000") && !lines.contains("sk-ant"), "{lines}");
    }
}
