module streamhost

go 1.26
