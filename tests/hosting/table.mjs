// SPDX-License-Identifier: MIT
// What is measured of each set-up: a row of the table that is printed last.
import { SETUPS } from '../lib-hosting.mjs';

const rows = new Map(SETUPS.map(({ name }) => [name, {}]));

/** A measure of a set-up. */
export const measure = (s, column, value) => {
  rows.get(s.name)[column] = [value];
};
/** A measure of one of its two sites: "http/https". */
export function note(site, column, value) {
  const row = rows.get(site.setup.name);
  row[column] = [...(row[column] ?? []), value];
}

/** The rows of those set-ups that were worked. */
export function print() {
  const columns = [...new Set([...rows.values()].flatMap(Object.keys))];
  const table = [['', ...columns], ...[...rows].filter(([, row]) => Object.keys(row).length).map(([name, row]) => [name, ...columns.map((c) => (row[c] ?? []).join('/'))])];
  const widths = table[0].map((_, i) => Math.max(...table.map((r) => r[i].length)));
  for (const r of table) console.log(`# ${r.map((cell, i) => cell.padEnd(widths[i])).join('  ')}`);
}
