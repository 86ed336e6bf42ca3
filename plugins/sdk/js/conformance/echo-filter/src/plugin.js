// Keeps the rows whose first column is not null: its values are read as JavaScript has them.
import { Bits, filter } from "streamhost-sdk";

export default filter({
  batch: ({ columns: [first] }) => Bits.of(first.toArray().map((value) => value !== null)),
});
