import { useId, type JSX, type ReactNode } from "react";
import type { Note } from "../bench/note.ts";
import { shareText } from "../results/format.ts";

/** One of a few, as a row of radio buttons. */
export function Segmented<T extends string | number>(props: {
  readonly label: string;
  readonly value: T;
  readonly choices: readonly { readonly value: T; readonly label: string; readonly disabled?: boolean }[];
  readonly onChange: (value: T) => void;
  readonly labelHidden?: boolean;
}): JSX.Element {
  const name = useId();
  return (
    <fieldset className="field">
      <legend className={props.labelHidden === true ? "hidden" : "field-label"}>{props.label}</legend>
      <div className="segments">
        {props.choices.map(({ value, label, disabled }) => (
          <label key={value}>
            <input
              type="radio"
              name={name}
              checked={value === props.value}
              disabled={disabled === true}
              onChange={() => props.onChange(value)}
            />
            {label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function Slider(props: {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly unit?: string;
  readonly onChange: (value: number) => void;
}): JSX.Element {
  const id = useId();
  const { value, min, max, step } = props;
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {props.label}
      </label>
      <div className="slider">
        <input
          id={id}
          type="range"
          {...{ value, min, max, step }}
          onChange={(event) => props.onChange(event.currentTarget.valueAsNumber)}
        />
        <output htmlFor={id}>
          {value} {props.unit}
        </output>
      </div>
    </div>
  );
}

/** What went wrong, or what to know. Errors are read out at once. */
export function NoteBox({ note, kind, children }: { note: Note; kind: "error" | "hint"; children?: ReactNode }): JSX.Element {
  return (
    <div className="note" data-kind={kind} role={kind === "error" ? "alert" : "note"}>
      <strong>{note.title}</strong>
      <p>
        {note.detail}
        {note.offset !== undefined && ` (byte ${note.offset.toLocaleString("en-GB")})`}
      </p>
      {children}
    </div>
  );
}

/** Work that goes on: what it is, how far, and a way to stop it. */
export function Working(props: {
  readonly doing: string;
  /** 0 to 1; without it, only that something goes on is shown. */
  readonly done?: number;
  readonly onStop?: () => void;
}): JSX.Element {
  const { doing, done, onStop } = props;
  return (
    <div className="working">
      <span role="status">{doing}</span>
      <span className="figures">{done === undefined ? "" : shareText(done)}</span>
      <progress aria-label={doing} max={1} {...(done === undefined ? {} : { value: done })} />
      {onStop !== undefined && (
        <button type="button" className="button button-stop" onClick={onStop}>
          Stop
        </button>
      )}
    </div>
  );
}

/** A figure to be read from afar. */
export function Dial({ label, value, unit }: { label: string; value: string; unit?: string }): JSX.Element {
  return (
    <div className="dial">
      <dt>{label}</dt>
      <dd>
        {value}
        {unit !== undefined && <small>{unit}</small>}
      </dd>
    </div>
  );
}

export function Sheet(props: { readonly title: string; readonly aside?: ReactNode; readonly children: ReactNode }): JSX.Element {
  const id = useId();
  return (
    <section className="sheet" aria-labelledby={id}>
      <div className="sheet-head">
        <h2 id={id}>{props.title}</h2>
        {props.aside}
      </div>
      {props.children}
    </section>
  );
}

export function ViewHead({ title, children }: { title: string; children: ReactNode }): JSX.Element {
  return (
    <header className="view-head">
      <h1 tabIndex={-1}>{title}</h1>
      <p>{children}</p>
    </header>
  );
}
