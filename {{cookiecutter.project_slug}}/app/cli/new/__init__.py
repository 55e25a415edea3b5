"""Writes the files of a use case, and takes them back: what `app new` and `app undo` do.

Its templates are the blocks of the guide in `docs/` whose fence says `app new`. They are about tickets, and are written
with other names.

    words      English: plurals, participles, articles
    names      which names can be used, and which cannot
    renaming   the words of a block, replaced
    guide      the blocks, and where they belong
    kinds      what each kind of use case is made of
    planning   the files as they will be, checked before the first is written
    python     adding to a module, and ruff
    record     writes files, and restores them to the byte
"""
