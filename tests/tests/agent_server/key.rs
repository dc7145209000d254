//! The key of the model cannot be read by what the model runs.

use anyhow::ensure;
use serde_json::json;

use crate::harness::{Agent, USER, is_root, tool_result};

/// Looks for two words in everything that a process of the agent's user can read: environments, command lines and memory
/// of all processes, and files that are newer than the server. The words stand here backwards, so that whoever
/// finds one has not found this text.
const SEARCH: &str = r#"
use strict; no warnings;
my %words = (key => scalar reverse("KEY"), control => scalar reverse("CONTROL"));
my $me = $$;
sub look { my ($where, $data) = @_;
  for my $name (sort keys %words) { print "FOUND $name in $where\n" if index($data, $words{$name}) >= 0; } }
sub slurp { my ($path) = @_; open(my $file, '<:raw', $path) or return ''; local $/; my $data = <$file>; close $file; $data // '' }
for my $dir (glob '/proc/[0-9]*') {
  my ($pid) = $dir =~ /(\d+)/; next if $pid == $me;
  look('environ', slurp("$dir/environ"));
  look('cmdline', slurp("$dir/cmdline"));
  open(my $mem, '<:raw', "$dir/mem") or next;
  for my $line (split /\n/, slurp("$dir/maps")) {
    my ($from, $to) = $line =~ /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;
    my ($start, $end) = (hex $from, hex $to);
    for (my $at = $start; $at < $end; $at += 1 << 22) {
      sysseek($mem, $at, 0) or last;
      my $size = $end - $at; $size = (1 << 22) + 100 if $size > (1 << 22) + 100;
      sysread($mem, my $data, $size) or last;
      look('memory', $data);
    }
  }
}
for my $path (split /\0/, `find WORKSPACE HOME /tmp /run /var/tmp /dev/shm -xdev -type f -size -4096k -newer BINARY -print0 2>/dev/null`) {
  look('files', slurp($path));
}
print "searched\n";
"#;

async fn nobody_reads_the_key(agent: Agent) -> anyhow::Result<()> {
    // Both are this test's own: another one that runs beside it has its words in its memory.
    let control = format!("control-{}", uuid::Uuid::new_v4());
    agent.configure(json!({"env": {"CONTROL_WORD": control}})).await?;
    let backwards = |word: &str| word.chars().rev().collect::<String>();
    let text = |path: std::path::PathBuf| path.display().to_string();
    let search = SEARCH
        .replace("KEY", &backwards(&agent.key))
        .replace("CONTROL", &backwards(&control))
        .replace("WORKSPACE", &text(agent.workspace()))
        .replace("BINARY", &text(agent.folder.path().join("agcluster-agent")));
    std::fs::write(agent.workspace().join("search.pl"), search)?;
    let command =
        "HOME_DIR=$HOME; perl -pe \"s#HOME#$HOME_DIR#\" search.pl > run.pl; perl run.pl | sort | uniq -c";
    let events = agent.turn(&format!("@@bash {command}\n@@text Done.")).await?;
    let found = tool_result(&events)?;
    ensure!(found.contains("searched"), "the search broke off: {found}");
    // The search finds what there is to find.
    ensure!(found.contains("FOUND control in environ"), "{found}");
    ensure!(!found.contains("FOUND key"), "{found}");
    ensure!(found.contains("FOUND control in memory") || is_yama(), "{found}");
    // The key was used, so it was there to be found.
    let keys: Vec<_> =
        agent.model.requests().iter().map(|request| request.api_key() == Some(agent.key.as_str())).collect();
    ensure!(!keys.is_empty() && keys.iter().all(|is| *is), "the model was asked with another key");
    agent.stop().await
}

/// Whether this kernel closes the memory of all processes but children to everybody.
fn is_yama() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").is_ok_and(|scope| scope.trim() != "0")
}

#[tokio::test]
async fn where_the_agent_has_a_user_of_its_own() -> anyhow::Result<()> {
    nobody_reads_the_key(Agent::start().await?).await
}

#[tokio::test]
async fn where_the_agent_has_the_servers_user() -> anyhow::Result<()> {
    // For whoever is not root that is the only way, and the test above has shown it.
    let user = is_root().then_some(USER);
    nobody_reads_the_key(Agent::start_as(user).await?).await
}

#[tokio::test]
async fn the_port_to_the_model_is_closed_to_others() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let ask = "curl --silent -o /dev/null -w '%{http_code} '";
    let command = format!(
        "{ask} $ANTHROPIC_BASE_URL/v1/models; {ask} -H 'x-api-key: guessed' $ANTHROPIC_BASE_URL/v1/models; \
         echo; echo $ANTHROPIC_API_KEY | wc -c"
    );
    let events = agent.turn(&format!("@@bash {command}\n@@text Done.")).await?;
    let said = tool_result(&events)?;
    ensure!(said.starts_with("401 401"), "{said}");
    agent.stop().await
}
