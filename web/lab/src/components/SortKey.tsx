import { useEffect, useId, useState, type JSX } from "react";
import type { SortBy } from "../live/useSorter.ts";
import { Segmented } from "./parts.tsx";

/** What to sort by. A key that is being typed counts when it is entered, not letter by letter. */
export function SortKey(props: {
  readonly by: SortBy;
  readonly keys: readonly string[];
  readonly onChange: (by: SortBy) => void;
}): JSX.Element {
  const { by, keys, onChange } = props;
  const [typed, setTyped] = useState(by.key);
  const [input, list, hint] = [useId(), useId(), useId()];
  useEffect(() => setTyped(by.key), [by.key]);
  const enter = (): void => {
    if (typed !== by.key) onChange({ ...by, key: typed });
  };
  return (
    <form
      className="controls"
      onSubmit={(event) => {
        event.preventDefault();
        enter();
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
          value={typed}
          spellCheck={false}
          autoComplete="off"
          aria-describedby={hint}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onBlur={enter}
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
        onChange={(direction) => onChange({ ...by, descending: direction === "descending" })}
      />
      <p className="field-hint" id={hint}>
        A dotted path such as <code>wind.speed</code> reaches into objects. Rows without the key come first.
      </p>
    </form>
  );
}
