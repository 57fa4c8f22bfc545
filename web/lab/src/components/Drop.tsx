import { useId, useState, type DragEvent, type JSX, type ReactNode } from "react";

/** A place for a file: chosen by button, or dropped on it. */
export function Drop(props: {
  readonly label: string;
  readonly accept?: string;
  readonly hint: string;
  readonly onFile: (file: File) => void;
  readonly children?: ReactNode;
}): JSX.Element {
  const [over, setOver] = useState(false);
  const hint = useId();
  const take = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file !== undefined) props.onFile(file);
  };
  return (
    <div
      className="drop"
      data-over={over}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={take}
    >
      <label className="button drop-choose">
        {props.label}
        <input
          type="file"
          accept={props.accept}
          aria-describedby={hint}
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file !== undefined) props.onFile(file);
            // The same file may be chosen again after it was changed.
            event.currentTarget.value = "";
          }}
        />
      </label>
      {props.children}
      <p id={hint}>{props.hint}</p>
    </div>
  );
}
