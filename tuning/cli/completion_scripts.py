"""What a shell is to be told so that it completes the words of `antisample`, and where it reads that."""

import os
from pathlib import Path

import psutil
import typer

from antisample.errors import ConfigError, DataError
from antisample.storage.atomic import atomic_write

# Bash parts words at = and :, which are in ours; the words are put together before the program is asked, and of its
# answers the part is taken off that stands before the word that bash sees.
_BASH = """\
_antisample_completion() {
    local IFS=$'\\n' words=() word before
    local -i i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 1)) && { [[ $word == [=:]* ]] || [[ ${COMP_WORDS[i-1]} == *[=:] ]]; }; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
    word=${words[${#words[@]}-1]}
    mapfile -t COMPREPLY < <(env COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) \\
        _ANTISAMPLE_COMPLETE=complete_bash "$1" 2>/dev/null)
    [[ -n ${COMPREPLY[*]} ]] || COMPREPLY=()
    if [[ $word == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]]; then
        before=${word%"${word##*[=:]}"}
        for i in "${!COMPREPLY[@]}"; do
            COMPREPLY[i]=${COMPREPLY[i]#"$before"}
        done
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace
    fi
}
complete -o default -F _antisample_completion antisample
"""
_ZSH = """\
#compdef antisample
_antisample_completion() {
    eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _ANTISAMPLE_COMPLETE=complete_zsh ${words[1]})
}
compdef _antisample_completion antisample
"""
_FISH_CALL = (
    "env _ANTISAMPLE_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION={} _TYPER_COMPLETE_ARGS=(commandline -cp)"
)
_FISH = (
    f'complete --command antisample --no-files --arguments "({_FISH_CALL.format("get-args")} antisample)" '
    f'--condition "{_FISH_CALL.format("is-args")} antisample"\n'
)
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_SOURCES = {"bash": ".bashrc", "zsh": ".zshrc"}


def shell_here() -> str:
    """The shell that the program was called from, or else the user's.

    Raises:
        ConfigError: If it is none that completion exists for.
    """
    parents = [parent.name() for parent in _parents()]
    names = [name.removeprefix("-") for name in (*parents, Path(os.environ.get("SHELL", "")).name)]
    shell = next((name for name in names if name in SCRIPTS), None)
    if shell is None:
        raise ConfigError(
            f"Completion exists for {', '.join(SCRIPTS)}, and the program was called from none of them; name one, as "
            "in `SHELL=bash antisample --show-completion`."
        )
    return shell


def _parents() -> list[psutil.Process]:
    try:
        return psutil.Process().parents()
    except psutil.Error:
        return []


def install_completion(shell: str) -> tuple[Path, Path | None]:
    """Writes the script for a shell where it is read, and has it read where the shell does not do so by itself.

    Args:
        shell: One of `SCRIPTS`.

    Returns:
        The script, and the file of the user's that now reads it, if it did not before.

    Raises:
        DataError: If they cannot be written.
    """
    home, environment = Path.home(), os.environ
    if shell == "fish":
        script = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "fish/completions/antisample.fish"
    else:
        data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
        script = data / "antisample" / f"completion.{shell}"
    try:
        script.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(script) as unfinished:
            unfinished.write_text(SCRIPTS[shell])
        if shell not in _SOURCES:
            return script, None
        reader = (Path(os.environ.get("ZDOTDIR") or home) if shell == "zsh" else home) / _SOURCES[shell]
        return script, reader if _is_made_to_read(reader, script, shell) else None
    except OSError as error:
        raise DataError(f"{error.filename or script}: cannot be written ({error.strerror}).") from error


def _is_made_to_read(reader: Path, script: Path, shell: str) -> bool:
    """Whether a line had to be added to a file of the user's."""
    quoted = "'" + str(script).replace("'", "'\\''") + "'"
    begun = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }; " if shell == "zsh" else ""
    line = f"[ -f {quoted} ] && {{ {begun}. {quoted}; }}"
    before = reader.read_text(errors="surrogateescape") if reader.exists() else ""
    if line in before.splitlines():
        return False
    with reader.open("a", errors="surrogateescape") as file:
        file.write(f"{'' if before.endswith(chr(10)) or not before else chr(10)}{line}\n")
    return True


def show_callback(wanted: bool) -> None:
    """`--show-completion`: prints the script."""
    if wanted:
        typer.echo(SCRIPTS[shell_here()], nl=False)
        raise typer.Exit


def install_callback(wanted: bool) -> None:
    """`--install-completion`: installs the script, and says what was written."""
    if wanted:
        shell = shell_here()
        script, reader = install_completion(shell)
        also = f", and a line to {reader} that reads it" if reader is not None else ""
        typer.echo(f"Wrote the completion for {shell} to {script}{also}. It works in new shells.")
        raise typer.Exit
