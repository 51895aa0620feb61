module families-go

go 1.25

require numax.dev/sdk v0.0.0

replace numax.dev/sdk => ../../../../../sdk-go
