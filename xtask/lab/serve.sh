#!/usr/bin/env bash
# Serves one HTTP exchange on standard input and output, under socat: answers $GREETING and the address of the client.
set -euo pipefail
while IFS= read -r line && [[ -n ${line%$'\r'} ]]; do :; done
body="$GREETING to $SOCAT_PEERADDR"
printf 'HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s\n' $((${#body} + 1)) "$body"
