# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For tests in shell: TAP on standard output. Source it, call check and refuse, end
# with finish. A failed case does not stop the test; bail does.
#
#   check NAME COMMAND...           passes if the command does
#   refuse ERRNO COMMAND... NAME    passes if the command fails with just that errno
#   refuse_write ERRNO VALUE FILE   the same for a write, and FILE must read as before
#   skip NAME WHY
export LC_ALL=C

# A process costs a tenth of a second in UML.  Where bash's loadable builtins are installed
# the most frequent commands start none.
for tap_builtin in mkdir rmdir ln rm sleep; do
	enable -f "/usr/lib/bash/$tap_builtin" "$tap_builtin" 2>/dev/null
done

tap_count=0
tap_failed=0

tap_result()
{
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_count - $2"
	else
		echo "not ok $tap_count - $2"
		tap_failed=$((tap_failed + 1))
		[ -z "$3" ] || printf '%s\n' "$3" | sed 's/^/# /'
	fi
}

check()
{
	local name=$1 out status
	shift
	out=$("$@" 2>&1)
	status=$?
	tap_result $status "$name" "$* : status $status: $out"
	return $status
}

skip()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

bail()
{
	echo "Bail out! $*"
	exit 1
}

finish()
{
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
	exit
}

# What strerror() says of an errno.
errno_text()
{
	case $1 in
	EPERM)		echo "Operation not permitted" ;;
	ENOENT)		echo "No such file or directory" ;;
	EACCES)		echo "Permission denied" ;;
	EBUSY)		echo "Device or resource busy" ;;
	EEXIST)		echo "File exists" ;;
	ENODEV)		echo "No such device" ;;
	EINVAL)		echo "Invalid argument" ;;
	ERANGE)		echo "Numerical result out of range" ;;
	ENAMETOOLONG)	echo "File name too long" ;;
	ENOTEMPTY)	echo "Directory not empty" ;;
	EADDRNOTAVAIL)	echo "Cannot assign requested address" ;;
	ENOSPC)		echo "No space left on device" ;;
	EOPNOTSUPP)	echo "Operation not supported" ;;
	*)		echo "errno_text: unknown $1" ;;
	esac
}

# The last line a failed command printed ends in the errno's text.
tap_expect_errno()
{
	local errno=$1 name=$2 status=$3 out=$4
	if [ "$status" != 0 ] && [[ $out == *": $(errno_text "$errno")" ]]; then
		tap_result 0 "$name: $errno"
	else
		tap_result 1 "$name: $errno" "status $status: $out"
	fi
}

refuse()
{
	local errno=$1 name=${!#} out
	local -a command=("${@:2:$#-2}")
	# "ln -s" and "open" may come as one word.
	case ${command[0]} in
	"ln -s")	command=(ln -s "${command[@]:1}") ;;
	open)		command=(tap_open "${command[@]:1}") ;;
	esac
	out=$("${command[@]}" 2>&1)
	tap_expect_errno "$errno" "$name" $? "$out"
}

tap_open()
{
	{ exec 8<>"$1"; } 2>&1
}

# One write(2) of the value. An empty value is one newline.
put()
{
	{ printf '%s\n' "$1" > "$2"; } 2>&1
}

refuse_write()
{
	local errno=$1 value=$2 file=$3 before after out
	before=$(< "$file")
	out=$(put "$value" "$file")
	tap_expect_errno "$errno" "write \"$value\" to ${file##*/}" $? "$out"
	after=$(< "$file")
	if [ "$before" != "$after" ]; then
		tap_result 1 "${file##*/} as before" "$before became $after"
	fi
}

fails()
{
	! "$@"
}

equals()
{
	local text
	text=$(< "$1") && [ "$text" = "$2" ] || { echo "reads \"$text\""; return 1; }
}

# no_autoload MODULE: from here on no alias loads it (/run is this machine's own in UML).
no_autoload()
{
	mkdir -p /run/modprobe.d && echo "blacklist $1" > "/run/modprobe.d/$1.conf"
}

module_used()
{
	[ "$(< "/sys/module/$1/refcnt")" -gt 0 ]
}
