module orch.invalid/load

go 1.19
