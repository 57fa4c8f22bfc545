import { Component, type ReactNode } from "react";
import { noteOf } from "../bench/note.ts";
import { NoteBox } from "./parts.tsx";

type State = { readonly state: "fine" } | { readonly state: "broken"; readonly error: unknown };

/** Keeps a view that broke from taking the page with it: the error is shown in its place. */
export class Boundary extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { state: "fine" };

  static getDerivedStateFromError(error: unknown): State {
    return { state: "broken", error };
  }

  override render(): ReactNode {
    if (this.state.state === "fine") return this.props.children;
    return (
      <>
        <h1 tabIndex={-1}>This view broke</h1>
        <NoteBox note={noteOf(this.state.error)} kind="error">
          <div className="actions">
            <button type="button" className="button" onClick={() => this.setState({ state: "fine" })}>
              Try again
            </button>
          </div>
        </NoteBox>
      </>
    );
  }
}
