import { useId, type JSX } from "react";
import type { SortBy } from "../live/useSorter.ts";
import { Segmented } from "./parts.tsx";

/** What to sort by. Rows are sorted when a key has been entered, not letter by letter. */
export function SortKey(props: {
  readonly by: SortBy;
  readonly keys: readonly string[];
  /** With each letter. */
  readonly onType: (by: SortBy) => void;
  /** Once, when the key is entered or left, or the direction changes. */
  readonly onEnter: (by: SortBy) => void;
}): JSX.Element {
  const { by, keys, onType, onEnter } = props;
  const [input, list, hint] = [useId(), useId(), useId()];
  return (
    <form
      className="controls"
      onSubmit={(event) => {
        event.preventDefault();
        onEnter(by);
      }}
    >
      <div className="field">
        <label className="field-label" htmlFor={input}>
          Key
        </label>
        <input
          id={input}
          className="wide"
          list={list}
          value={by.key}
          spellCheck={false}
          autoComplete="off"
          aria-describedby={hint}
          onChange={(event) => onType({ ...by, key: event.currentTarget.value })}
          onBlur={() => onEnter(by)}
        />
        <datalist id={list}>
          {keys.map((key) => (
            <option key={key} value={key} />
          ))}
        </datalist>
      </div>
      <Segmented
        label="Direction"
        value={by.descending ? "descending" : "ascending"}
        choices={[
          { value: "ascending", label: "Ascending" },
          { value: "descending", label: "Descending" },
        ]}
        onChange={(direction) => onEnter({ ...by, descending: direction === "descending" })}
      />
      <p className="field-hint" id={hint}>
        A dotted path such as <code>wind.speed</code> reaches into objects. Rows without the key come first.
      </p>
    </form>
  );
}
