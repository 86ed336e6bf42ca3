module echo-filter

go 1.26

require streamhost v0.0.0

replace streamhost => ../..
