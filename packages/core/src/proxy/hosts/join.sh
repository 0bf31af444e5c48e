#!/bin/sh
# Gatehouse: lets this host join a cluster, keeps it there, takes it out again.
set -eu
umask 022
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

usage() {
  cat <<'EOF'
usage: sh join.sh [join] --gateway=HOST:PORT --ca=FILE [options]     join, or join again
       sh join.sh renew [--force]                                    what the timer does
       sh join.sh uninstall                                          take this host out
options:
  --token-file=FILE    the token; else it is asked for, or read from standard input
  --name=NAME          what the host is called; else its own name
  --addr=HOST:PORT     where the gateway reaches it, or :PORT; else where it comes from
  --labels=K=V[,K=V]   labels, where the token lets it choose
  --exclusive          no other way in: no passwords, no keys of people
  --state-dir=FOLDER   else /etc/ssh/gatehouse
  --sshd-config=FILE   else /etc/ssh/sshd_config
  --sshd=FILE          the program; else sshd
  --reload=COMMAND     makes sshd read its configuration again
  --timer=KIND         systemd, cron or none; else what there is
  --timer-dir=FOLDER   where its files go, instead of the system's folder
EOF
}

say() { printf '%s\n' "$*" >&2; }
die() {
  say "gatehouse: $1"
  [ -z "${2-}" ] || say "  $2"
  exit 1
}
value() { printf '%s\n' "${1#*=}"; }

command=join
gateway= ca= token_file= name= addr= labels= exclusive= force=
state=/etc/ssh/gatehouse
sshd_config=/etc/ssh/sshd_config
sshd= reload= timer= timer_dir=
for word in "$@"; do
  case $word in
    join | renew | uninstall) command=$word ;;
    --gateway=*) gateway=$(value "$word") ;;
    --ca=*) ca=$(value "$word") ;;
    --token-file=*) token_file=$(value "$word") ;;
    --name=*) name=$(value "$word") ;;
    --addr=*) addr=$(value "$word") ;;
    --labels=*) labels=$(value "$word") ;;
    --exclusive) exclusive=yes ;;
    --force) force=yes ;;
    --state-dir=*) state=$(value "$word") ;;
    --sshd-config=*) sshd_config=$(value "$word") ;;
    --sshd=*) sshd=$(value "$word") ;;
    --reload=*) reload=$(value "$word") ;;
    --timer=*) timer=$(value "$word") ;;
    --timer-dir=*) timer_dir=$(value "$word") ;;
    -h | --help) usage; exit 0 ;;
    *) printf 'gatehouse: there is no option %s\n' "$word" >&2; usage >&2; exit 2 ;;
  esac
done
case $state$sshd_config in *[!A-Za-z0-9/._-]*) die "a path may only have letters, digits and / . _ -" ;; esac
case $state in /*) ;; *) die "--state-dir has to begin with /" ;; esac
case $sshd_config in /*) ;; *) die "--sshd-config has to begin with /" ;; esac

# What was settled when the host joined; a line of each kind.
setting() { sed -n "s/^$1 //p" "$state/settings" 2>/dev/null | head -n 1; }
if [ "$command" != join ]; then
  [ -f "$state/settings" ] || die "this host has not joined: there is no $state/settings"
  gateway=$(setting gateway)
  sshd_config=$(setting sshd_config)
  sshd=$(setting sshd)
  reload=$(setting reload)
  timer=$(setting timer)
  timer_dir=$(setting timer_dir)
  key=$(setting key)
  ca=$state/host-ca.pem
fi
[ -n "$sshd" ] || sshd=$(command -v sshd) || die "there is no sshd here" "install OpenSSH's server; or say where it is: --sshd=FILE"
drop_in=$sshd_config.d/00-gatehouse.conf

work=$(mktemp -d)
restore= locked=
finish() {
  code=$?
  stty echo <&3 2>/dev/null || :
  if [ -n "$restore" ]; then put_back || say "gatehouse: not everything could be put back"; fi
  rm -rf "$work"
  if [ -n "$locked" ]; then rmdir "$state/lock" 2>/dev/null || :; fi
  exit "$code"
}
exec 3</dev/null
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ask OUTPUT PATH [CURL'S ARGUMENTS]: over TLS that the pinned authority vouches for.
ask() {
  output=$1 path=$2
  shift 2
  code=$(curl -q -sS --proto =https --tlsv1.2 --max-time 60 --max-filesize 33554432 --cacert "$ca" --connect-to "teleport.cluster.local:443:$gateway" -o "$output" -w '%{http_code}' "$@" "https://teleport.cluster.local$path") ||
    die "the gateway at $gateway cannot be asked"
  [ "$code" = 200 ] || refused "$output" "$code"
}
told() { sed -e "s/\\\\\"/'/g" "$1" | sed -n "s/.*\"$2\" *: *\"\([^\"]*\)\".*/\1/p" | head -n 1; }
refused() {
  message=$(told "$1" message)
  hint=$(told "$1" hint)
  id=$(told "$1" id)
  [ -n "$message" ] || message="the gateway answered $2"
  die "$message" "$hint${id:+ (refusal $id)}"
}
line() { sed -n "s/^$2 //p" "$1" | head -n 1; }

reload_sshd() {
  if [ -n "$reload" ]; then sh -c "$reload" >/dev/null
  elif [ -d /run/systemd/system ]; then systemctl reload ssh 2>/dev/null || systemctl reload sshd
  elif [ -f /run/sshd.pid ]; then kill -HUP "$(cat /run/sshd.pid)"
  else service ssh reload >/dev/null 2>&1 || service sshd reload >/dev/null
  fi
}
check_sshd() { "$sshd" -t -f "$sshd_config" >"$work/checked" 2>&1; }
# keyword: the values that sshd takes for it now.
effective() { sed -n "s/^$1 //p" "$work/effective"; }
read_effective() { "$sshd" -T -f "$sshd_config" >"$work/effective" 2>"$work/checked" || die "sshd cannot read $sshd_config: $(head -n 1 "$work/checked")" "nothing was changed"; }

# Puts a file in the place of another at once, if it differs; says so by its exit code.
replace() {
  if cmp -s "$1" "$2"; then return 1; fi
  cp "$1" "$2.new"
  chmod 644 "$2.new"
  mv "$2.new" "$2"
}

save() {
  mkdir "$work/saved"
  cp -p "$sshd_config" "$work/saved/config"
  [ ! -f "$drop_in" ] || cp -p "$drop_in" "$work/saved/drop_in"
  [ ! -d "$state" ] || cp -pR "$state" "$work/saved/state"
  restore=yes
}
put_back() {
  restore=
  cp -p "$work/saved/config" "$sshd_config"
  if [ -f "$work/saved/drop_in" ]; then cp -p "$work/saved/drop_in" "$drop_in"; else rm -f "$drop_in"; fi
  rm -rf "$state"
  if [ -d "$work/saved/state" ]; then cp -pR "$work/saved/state" "$state"; fi
  if [ -n "${reloaded-}" ]; then reload_sshd; fi
}

# prove MESSAGE: signs it with the host key, for nothing but this.
prove() {
  printf '%s' "$1" >"$work/message"
  ssh-keygen -q -Y sign -n gatehouse-host -f "$key" "$work/message" 2>"$work/checked" || die "ssh-keygen cannot sign with $key: $(head -n 1 "$work/checked")" "it takes OpenSSH 8.1 or later, and root"
}
challenge() {
  ask "$work/challenge" /gatehouse/v1/nodes/challenge
  head -n 1 "$work/challenge"
}

read_token() {
  if [ -n "$token_file" ] && [ "$token_file" != - ]; then
    head -n 1 "$token_file" >"$work/line" || die "the token cannot be read from $token_file"
    IFS= read -r token <"$work/line" || :
  elif [ -t 0 ]; then
    exec 3<&0
    printf 'token: ' >&2
    stty -echo
    IFS= read -r token || :
    stty echo
    printf '\n' >&2
  else
    IFS= read -r token || :
  fi
  [ -n "${token-}" ] || die "there is no token" "put it on standard input, or in a file: --token-file=FILE"
  (umask 077 && printf '%s' "$token" >"$work/token")
}

# The best host key that sshd has: its certificate stands beside those that are there.
choose_key() {
  for kind in ed25519 ecdsa rsa; do
    for file in $(effective hostkey); do
      case $(ssh-keygen -l -f "$file.pub" 2>/dev/null | sed 's/.*(\(.*\))$/\1/' | tr 'A-Z' 'a-z') in
        "$kind") if [ -r "$file" ]; then key=$file; return; fi ;;
      esac
    done
  done
  die "sshd has no host key of a kind that is known here" "make some: ssh-keygen -A"
}

# A host has one list of authorities, of revoked keys, of principals: another's is not ours to replace.
refuse_conflicts() {
  for keyword in trustedusercakeys revokedkeys authorizedprincipalsfile authorizedprincipalscommand; do
    found=$(effective "$keyword" | head -n 1)
    case $found in '' | none | "$state"/* | */echo\ %u@*) continue ;; esac
    [ -n "$exclusive" ] || die "sshd has a $keyword of its own already: $found" "--exclusive puts the gateway's in its place"
  done
  [ "$(effective pubkeyauthentication)" = yes ] || [ -n "$exclusive" ] || die "sshd takes no keys, and so no certificates: PubkeyAuthentication is $(effective pubkeyauthentication)" "set it to yes in $sshd_config"
}

# One file a login, with the one principal that opens it. What is no account here now is told by the command in the drop-in.
write_principals() {
  rm -rf "$work/principals"
  mkdir "$work/principals"
  { getent passwd 2>/dev/null || cat /etc/passwd; } | while IFS=: read -r login _ _ _ _ _ shell; do
    case $login in '' | -* | .* | *[!A-Za-z0-9._-]*) continue ;; esac
    case $shell in */nologin | */false) continue ;; esac
    printf '%s@%s\n' "$login" "$1" >"$work/principals/$login"
  done
  mkdir -p "$state/principals"
  for file in "$state"/principals/*; do
    if [ ! -e "$work/principals/${file##*/}" ]; then rm -f "$file"; fi
  done
  for file in "$work"/principals/*; do
    [ ! -e "$file" ] || replace "$file" "$state/principals/${file##*/}" || :
  done
}

# Authorities and revoked keys, as they are now.
fetch_trust() {
  ask "$work/trust" /gatehouse/v1/nodes/trust
  [ "$(head -n 1 "$work/trust")" = "gatehouse-trust 1" ] || die "the gateway speaks another version of this" "let the host join again: tctl nodes add"
  sed -n 's/^ca //p' "$work/trust" >"$work/user-ca"
  line "$work/trust" krl | openssl base64 -d -A >"$work/krl"
  ssh-keygen -l -f "$work/user-ca" >/dev/null || die "the gateway sent no authority"
  # A list that sshd cannot read would let in nobody: it is tried before it is put in place.
  if ! ssh-keygen -Q -f "$work/krl" "$key.pub" >"$work/checked" 2>&1; then
    grep -q REVOKED "$work/checked" || die "the gateway sent a list of revoked keys that cannot be read"
  fi
}
install_trust() {
  replace "$work/user-ca" "$state/user-ca" || :
  replace "$work/krl" "$state/krl" || :
}

# take ANSWER: what the gateway granted.
take() {
  [ "$(head -n 1 "$1")" = "gatehouse-host 1" ] || die "the gateway speaks another version of this"
  id=$(line "$1" id)
  hostname=$(line "$1" name)
  cluster=$(line "$1" cluster)
  case $id in '' | *[!a-z0-9._-]*) die "the gateway sent no id" ;; esac
  line "$1" certificate >"$work/certificate"
  ssh-keygen -L -f "$work/certificate" >/dev/null 2>&1 || die "the gateway sent no certificate"
  sed -n 's/^note //p' "$1" | while IFS= read -r note; do say "  note: $note"; done
  renew_after=$(line "$1" renew-after)
}

write_settings() {
  cat >"$work/settings" <<EOF
gateway $gateway
sshd_config $sshd_config
sshd $sshd
reload $reload
timer $timer
timer_dir $timer_dir
key $key
id $id
name $hostname
cluster $cluster
renew_after $renew_after
EOF
  replace "$work/settings" "$state/settings" || :
}

write_drop_in() {
  echo=/bin/echo
  [ -x "$echo" ] || echo=/usr/bin/echo
  {
    printf '# Written by Gatehouse: people come in through the gateway of cluster %s, with certificates for this host alone.\n' "$cluster"
    printf '# To take it out again: sh %s uninstall%s\n' "$state/join.sh" "$( [ "$state" = /etc/ssh/gatehouse ] || printf ' --state-dir=%s' "$state" )"
    printf 'HostCertificate %s\n' "$state/host-cert.pub"
    printf 'TrustedUserCAKeys %s\n' "$state/user-ca"
    printf 'RevokedKeys %s\n' "$state/krl"
    printf 'AuthorizedPrincipalsFile %s\n' "$state/principals/%u"
    # Accounts made since, and those of a directory that does not list them.
    if [ -x "$echo" ] && id nobody >/dev/null 2>&1; then
      printf 'AuthorizedPrincipalsCommand %s %%u@%s\n' "$echo" "$id"
      printf 'AuthorizedPrincipalsCommandUser nobody\n'
    else
      printf 'AuthorizedPrincipalsCommand none\n'
    fi
    if [ -n "$exclusive" ]; then
      printf 'PubkeyAuthentication yes\nAuthorizedKeysFile none\nAuthorizedKeysCommand none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nHostbasedAuthentication no\nAuthenticationMethods publickey\n'
    fi
  } >"$work/drop_in"
  mkdir -p "$sshd_config.d"
  replace "$work/drop_in" "$drop_in" || :
  # sshd takes the first value that it reads, so that ours have to come first.
  if ! grep -Eiq "^[[:space:]]*include[[:space:]]+\"?($sshd_config\.d/\*\.conf|$drop_in)" "$sshd_config"; then
    { printf 'Include %s\n' "$drop_in"; cat "$sshd_config"; } >"$work/config"
    cp "$work/config" "$sshd_config"
  fi
}

# sshd has to have read the drop-in, not only to have said nothing against it.
check_effective() {
  read_effective
  [ "$(effective trustedusercakeys)" = "$state/user-ca" ] && [ "$(effective authorizedprincipalsfile)" = "$state/principals/%u" ] && [ "$(effective revokedkeys)" = "$state/krl" ] ||
    die "something in $sshd_config comes before $drop_in and says otherwise" "put this in its first line: Include $drop_in"
}

install_timer() {
  if [ -z "$timer" ]; then
    if [ -d /run/systemd/system ]; then timer=systemd
    elif [ -d "${timer_dir:-/etc/cron.d}" ]; then timer=cron
    else timer=none
    fi
  fi
  run="/bin/sh $state/join.sh renew --state-dir=$state"
  case $timer in
    systemd)
      folder=${timer_dir:-/etc/systemd/system}
      printf '[Unit]\nDescription=Gatehouse: host certificate, authorities and revoked keys of sshd\nWants=network-online.target\nAfter=network-online.target\n\n[Service]\nType=oneshot\nExecStart=%s\n' "$run" >"$folder/gatehouse-host.service"
      printf '[Unit]\nDescription=Gatehouse: host certificate, authorities and revoked keys of sshd\n\n[Timer]\nOnBootSec=1min\nOnUnitActiveSec=5min\nRandomizedDelaySec=1min\n\n[Install]\nWantedBy=timers.target\n' >"$folder/gatehouse-host.timer"
      [ -n "$timer_dir" ] || { systemctl daemon-reload && systemctl enable --now gatehouse-host.timer >/dev/null 2>&1; }
      ;;
    cron) printf '# Gatehouse: host certificate, authorities and revoked keys of sshd.\n*/5 * * * * root %s >/dev/null 2>&1\n' "$run" >"${timer_dir:-/etc/cron.d}/gatehouse-host" ;;
    none) say "  note: nothing renews this host's certificate: run this every few minutes: $run" ;;
    *) die "--timer is systemd, cron or none" ;;
  esac
}
remove_timer() {
  case $timer in
    systemd)
      folder=${timer_dir:-/etc/systemd/system}
      [ -n "$timer_dir" ] || systemctl disable --now gatehouse-host.timer >/dev/null 2>&1 || :
      rm -f "$folder/gatehouse-host.service" "$folder/gatehouse-host.timer"
      ;;
    cron) rm -f "${timer_dir:-/etc/cron.d}/gatehouse-host" ;;
  esac
}

join_host() {
  [ -n "$gateway" ] && [ -n "$ca" ] || { usage >&2; exit 2; }
  case $gateway in *[!]A-Za-z0-9.:_[-]*) die "--gateway is HOST:PORT" ;; esac
  [ -f "$sshd_config" ] || die "there is no $sshd_config" "install OpenSSH's server; or say where it is: --sshd-config=FILE"
  read_effective
  choose_key
  refuse_conflicts
  [ -n "$name" ] || name=$(uname -n)
  name=$(printf '%s' "$name" | tr 'A-Z' 'a-z')
  port=$(effective port | head -n 1)
  [ -n "$addr" ] || [ "$port" = 22 ] || addr=":$port"
  read_token
  challenge=$(challenge)
  prove "join
$challenge
$name
$addr
$labels
"
  ask "$work/granted" /gatehouse/v1/nodes/join --data-urlencode "token@$work/token" --data-urlencode "name=$name" --data-urlencode "addr=$addr" --data-urlencode "labels=$labels" --data-urlencode "challenge=$challenge" --data-urlencode "signature@$work/message.sig"
  take "$work/granted"
  fetch_trust
  save
  mkdir -p "$state"
  chmod 755 "$state"
  replace "$ca" "$state/host-ca.pem" || :
  replace "$0" "$state/join.sh" || :
  replace "$work/certificate" "$state/host-cert.pub" || :
  install_trust
  write_principals "$id"
  write_drop_in
  check_sshd || die "sshd would not take this configuration: $(head -n 1 "$work/checked")" "everything is as it was; once that is put right, the same token is good for this host again"
  check_effective
  reloaded=yes
  reload_sshd || die "sshd could not be told to read its configuration again" "everything is as it was; say how: --reload=COMMAND"
  install_timer
  write_settings
  restore=
  say "✔ $hostname is a node of $cluster now ($id)"
}

renew_host() {
  mkdir "$state/lock" 2>/dev/null || {
    # One that was killed has left it behind.
    [ -n "$(find "$state/lock" -prune -mmin +10 2>/dev/null)" ] || exit 0
  }
  locked=yes
  id=$(setting id)
  fetch_trust
  install_trust
  write_principals "$id"
  renew_after=$(setting renew_after)
  if [ -z "$force" ] && [ "$(date +%s)" -lt "${renew_after:-0}" ]; then return; fi
  challenge=$(challenge)
  prove "renew
$challenge
$id
"
  ask "$work/granted" /gatehouse/v1/nodes/renew --data-urlencode "id=$id" --data-urlencode "challenge=$challenge" --data-urlencode "signature@$work/message.sig"
  take "$work/granted"
  save
  replace "$work/certificate" "$state/host-cert.pub" || :
  write_settings
  check_sshd || die "sshd would not take the new host certificate: $(head -n 1 "$work/checked")" "the old one stays"
  reloaded=yes
  reload_sshd || die "sshd could not be told to read its new host certificate" "the old one stays"
  restore=
  say "✔ the host certificate was renewed"
}

uninstall() {
  id=$(setting id)
  save
  rm -f "$drop_in"
  if grep -qx "Include $drop_in" "$sshd_config"; then
    grep -vx "Include $drop_in" "$sshd_config" >"$work/config" || :
    cp "$work/config" "$sshd_config"
  fi
  check_sshd || die "sshd would not take its configuration without the gateway: $(head -n 1 "$work/checked")" "everything is as it was"
  reloaded=yes
  reload_sshd || die "sshd could not be told to read its configuration again" "everything is as it was"
  restore=
  remove_timer
  rm -rf "$state"
  say "✔ this host takes no certificates of the gateway any more; to take it off the list: tctl nodes rm $id"
}

case $command in
  join) join_host ;;
  renew) renew_host ;;
  uninstall) uninstall ;;
esac
