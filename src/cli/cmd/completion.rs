//! `seawall completion`

use crate::cli::args::{CompletionArgs, command};
use crate::cli::{Context, Outcome};
use clap_complete::Shell;

/// What is there is asked of the running operator first; what can be typed at all is known without.
const BASH: &str = r#"
_seawall_live() {
    local found
    found=$("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ -n $found ]]; then
        mapfile -t COMPREPLY <<<"$found"
        [[ $found == *= ]] && compopt -o nospace 2>/dev/null
    else
        _seawall "$@"
    fi
}
complete -F _seawall_live -o bashdefault -o default seawall
"#;
const ZSH: &str = r#"
_seawall_live() {
    local -a found
    found=(${(f)"$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then compadd -a found; else _seawall "$@"; fi
}
compdef _seawall_live seawall
"#;
const FISH: &str = r#"
function __seawall_live
    set -l typed (commandline -opc)
    set -l now (commandline -ct)
    $typed[1] __complete $typed[2..-1] "$now" 2>/dev/null
end
complete -c seawall -f -a '(__seawall_live)'
"#;

pub fn run(cx: &mut Context, args: CompletionArgs) -> Outcome {
    // Into memory first: clap_complete panics on a closed pipe.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "seawall", &mut text);
    text.extend_from_slice(match args.shell {
        Shell::Bash => BASH.as_bytes(),
        Shell::Zsh => ZSH.as_bytes(),
        Shell::Fish => FISH.as_bytes(),
        _ => b"",
    });
    cx.out.stdout.write_all(&text)?;
    Ok(0)
}
