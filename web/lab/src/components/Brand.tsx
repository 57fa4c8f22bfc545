import type { JSX } from "react";

/** An island, the mainland's shore, and the bar of sand between them, on a dial. */
export function Brand(): JSX.Element {
  return (
    <a className="brand" href="#/">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <circle className="brand-ring" cx="16" cy="16" r="15" strokeWidth="1" />
        <path className="brand-sand" d="M4 25c6.5 0 8.500-2.600 12-6.200S21.500 13.500 23 12" strokeWidth="3.2" strokeLinecap="round" />
        <circle className="brand-sea" cx="22.500" cy="10" r="4.600" />
      </svg>
      Tombolo Lab
    </a>
  );
}
