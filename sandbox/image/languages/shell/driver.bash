# The shell's driver. Bash runs interactively, because only then does an interrupt abandon the whole of what it runs and
# nothing else; the supervisor sends the two commands of "each_run" for every request (see its workers.py). Whenever a
# command is ended by a signal, as in `yes | head -1`, an interactive bash sets the terminal that its standard error was at
# the start; so that is one that nobody uses, and no controlling one.
exec 2>&5 5>&-
PS1='' PS2='' PROMPT_COMMAND=''
HISTFILE='' HISTSIZE=0
set +o history +H +m
shopt -u checkwinsize expand_aliases
trap '' TSTP TTIN TTOU
trap - INT TERM
__status=0

__read() {
  local word length
  IFS=' ' read -r -u 3 word __nonce length || builtin exit 0
  LC_ALL=C IFS= read -r -u 3 -N "$length" __code
  [ -d "$PWD" ] || cd "$HOME"
  return "$__status"
}

__done() {
  __status=$?
  printf 'done %s %d\n' "$__nonce" "$__status" >&4
  return "$__status"
}

# The builtin says "exit" in an interactive shell.
exit() {
  local status=$?
  builtin exit "${1:-$status}" 2>/dev/null
}

printf 'ready\n' >&4
