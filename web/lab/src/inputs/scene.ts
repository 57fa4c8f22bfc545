import type { Size } from "@tombolo/web";
import { randomFrom } from "./random.ts";

type Context = OffscreenCanvasRenderingContext2D;

/**
 * Draws a tombolo seen from the land: sky, sea, an island, and the bar of sand that leads to it.
 * The same picture for the same size, with fine grain and hard edges that a blur has to deal with.
 * Its colours are a subject, as a photograph's would be, and no part of the page's design.
 */
export function drawTombolo(context: Context, { width, height }: Size): void {
  const random = randomFrom(1);
  context.save();
  context.scale(width / 1600, height / 1000);
  sky(context, random);
  sea(context, random);
  island(context, random);
  bar(context, random);
  grass(context, random);
  context.restore();
}

function sky(context: Context, random: () => number): void {
  const air = context.createLinearGradient(0, 0, 0, 430);
  air.addColorStop(0, "#2b6e86");
  air.addColorStop(0.7, "#a9cfcb");
  air.addColorStop(1, "#f3dcae");
  context.fillStyle = air;
  context.fillRect(0, 0, 1600, 430);
  context.fillStyle = "#fff6df";
  context.beginPath();
  context.arc(420, 300, 52, 0, Math.PI * 2);
  context.fill();
  for (let cloud = 0; cloud < 26; cloud += 1) {
    const x = random() * 1600;
    const y = 60 + random() * 240;
    context.fillStyle = `rgb(255 246 230 / ${0.1 + random() * 0.25})`;
    context.beginPath();
    context.ellipse(x, y, 60 + random() * 190, 3 + random() * 11, 0, 0, Math.PI * 2);
    context.fill();
  }
}

function sea(context: Context, random: () => number): void {
  const water = context.createLinearGradient(0, 420, 0, 1000);
  water.addColorStop(0, "#cfd9bd");
  water.addColorStop(0.12, "#5fa3a6");
  water.addColorStop(0.5, "#1f7282");
  water.addColorStop(1, "#0d4152");
  context.fillStyle = water;
  context.fillRect(0, 420, 1600, 580);
  for (let wave = 0; wave < 2_600; wave += 1) {
    const depth = random() ** 1.6;
    const y = 424 + depth * 576;
    const x = random() * 1600;
    const length = 4 + depth * 70 * random();
    context.strokeStyle = random() < 0.5 ? `rgb(245 250 240 / ${0.08 + random() * 0.3})` : "rgb(6 50 66 / 0.25)";
    context.lineWidth = 0.6 + depth * 2.4;
    context.beginPath();
    context.moveTo(x, y);
    context.quadraticCurveTo(x + length / 2, y - 2 - depth * 5, x + length, y);
    context.stroke();
  }
}

function island(context: Context, random: () => number): void {
  context.fillStyle = "#3d5a46";
  context.beginPath();
  context.moveTo(900, 440);
  context.bezierCurveTo(960, 380, 1010, 300, 1090, 296);
  context.bezierCurveTo(1150, 290, 1180, 240, 1250, 250);
  context.bezierCurveTo(1340, 262, 1390, 380, 1470, 440);
  context.fill();
  for (let tree = 0; tree < 900; tree += 1) {
    const x = 960 + random() * 450;
    const top = 300 + Math.abs(x - 1210) * 0.42;
    const y = top + random() * (436 - top);
    context.fillStyle = ["#2c4738", "#50714f", "#6d8655", "#8d7f53"][Math.floor(random() * 4)] ?? "#2c4738";
    context.beginPath();
    context.ellipse(x, y, 3 + random() * 7, 3 + random() * 6, 0, 0, Math.PI * 2);
    context.fill();
  }
  // A white lighthouse with sharp edges: where a blur shows first.
  context.fillStyle = "#fbf7ec";
  context.fillRect(1240, 168, 20, 86);
  context.fillStyle = "#b2412b";
  for (const y of [184, 214, 240]) context.fillRect(1240, y, 20, 12);
  context.fillStyle = "#20343b";
  context.fillRect(1236, 156, 28, 14);
}

function bar(context: Context, random: () => number): void {
  const sand = context.createLinearGradient(0, 440, 0, 1000);
  sand.addColorStop(0, "#e9cf98");
  sand.addColorStop(1, "#cda261");
  context.fillStyle = "rgb(250 246 230 / 0.55)";
  outline(context, 26);
  context.fill();
  context.fillStyle = sand;
  outline(context, 0);
  context.fill();
  context.save();
  context.clip();
  for (let grain = 0; grain < 9_000; grain += 1) {
    const depth = random();
    context.fillStyle = random() < 0.55 ? "rgb(120 84 40 / 0.35)" : "rgb(255 245 214 / 0.5)";
    const size = 0.8 + depth * 2.2;
    context.fillRect(random() * 1600, 440 + depth * 560, size, size);
  }
  context.restore();
}

function outline(context: Context, foam: number): void {
  context.beginPath();
  context.moveTo(1010 - foam, 438);
  context.bezierCurveTo(900 - foam, 520, 860 - foam, 560, 700 - foam, 640);
  context.bezierCurveTo(480 - foam, 750, 260 - foam, 800, -40, 1010 - foam * 3);
  context.lineTo(900 + foam * 3, 1040);
  context.bezierCurveTo(900 + foam, 820, 960 + foam, 700, 1040 + foam, 620);
  context.bezierCurveTo(1120 + foam, 540, 1220 + foam, 500, 1330 + foam, 438);
  context.closePath();
}

function grass(context: Context, random: () => number): void {
  for (let blade = 0; blade < 420; blade += 1) {
    const x = -10 + random() ** 1.5 * 560;
    const y = 960 + random() * 50;
    const height = 50 + random() * 150;
    context.strokeStyle = ["#5c6b3b", "#7f8648", "#a39a5a", "#3f5138"][Math.floor(random() * 4)] ?? "#5c6b3b";
    context.lineWidth = 1 + random() * 2.4;
    context.beginPath();
    context.moveTo(x, y);
    context.quadraticCurveTo(x + 4, y - height * 0.6, x + 10 + random() * 50, y - height);
    context.stroke();
  }
}
