"""Writes assembly that includes a file's bytes between two symbols: embed.py FILE OUTPUT."""
import hashlib
import os
import sys

source, output = sys.argv[1:]
with open(source, 'rb') as file:
    digest = hashlib.sha256(file.read()).hexdigest()
with open(output, 'w', encoding='utf-8') as file:
    # The digest makes a new text of a new program, so that the object is made anew.
    file.write(f'''/* {digest} */
    .section .rodata
    .global orch_shim_program_begin
    .global orch_shim_program_end
    .balign 16
orch_shim_program_begin:
    .incbin "{os.path.abspath(source)}"
orch_shim_program_end:
    .section .note.GNU-stack,"",%progbits
''')
