import "@fontsource-variable/instrument-sans/wght.css";
import "@fontsource-variable/spline-sans-mono/wght.css";
import "./tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/controls.css";
import "./style/parts.css";
import "./style/rule.css";
import "./style/table.css";
import "./style/views.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.tsx";
import { LabProvider } from "./lab.tsx";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element #root");
createRoot(root).render(
  <StrictMode>
    <LabProvider>
      <App />
    </LabProvider>
  </StrictMode>,
);
