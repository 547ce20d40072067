"""Tatami beside the stack that the first description names (Express and Prisma), on the same data: `make bench`.

`peer` builds and starts the peer, `tatami_side` fills our dojos and starts our web process, `load` sends the requests,
`cpu` measures processes, `floor` asks pgbench what the bare statements cost, `report` writes what was measured.
"""
