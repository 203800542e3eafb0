#!/bin/sh
# The "browser" of a machine without one: keeps the address that it is to open.
printf %s "$1" > "$OPENED.part" && mv "$OPENED.part" "$OPENED"
