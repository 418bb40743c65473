import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdk.jshell.Diag;
import jdk.jshell.EvalException;
import jdk.jshell.JShell;
import jdk.jshell.JShellException;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.TypeDeclSnippet;
import sun.misc.Signal;

/**
 * Java's driver: evaluates declarations and statements as JShell does, in this process, and calls the main method of a class
 * that the code declares. Descriptor 3 brings requests, descriptor 4 takes answers (see the supervisor's workers.py).
 */
public final class Driver {
    private static final List<String> IMPORTS = List.of(
        "import java.io.*;", "import java.math.*;", "import java.nio.file.*;", "import java.util.*;",
        "import java.util.function.*;", "import java.util.stream.*;");
    private static final Pattern PACKAGE = Pattern.compile("\\A\\s*package\\s+[\\w.]+\\s*;");

    private final JShell shell = JShell.builder().executionEngine("local").build();
    private final SourceCodeAnalysis analysis = shell.sourceCodeAnalysis();
    private volatile boolean interrupted;

    public static void main(String[] arguments) throws IOException {
        for (String scheme : List.of("http", "https")) {
            String proxy = System.getenv(scheme + "_proxy");
            if (proxy != null) {
                System.setProperty(scheme + ".proxyHost", URI.create(proxy).getHost());
                System.setProperty(scheme + ".proxyPort", String.valueOf(URI.create(proxy).getPort()));
            }
        }
        new Driver().serve();
    }

    private void serve() throws IOException {
        try (DataInputStream requests = new DataInputStream(new FileInputStream("/proc/self/fd/3"));
             OutputStream answers = new FileOutputStream("/proc/self/fd/4")) {
            IMPORTS.forEach(shell::eval);
            Signal.handle(new Signal("INT"), signal -> {
                interrupted = true;
                shell.stop();
            });
            answers.write("ready\n".getBytes(StandardCharsets.US_ASCII));
            for (String line = line(requests); line != null; line = line(requests)) {
                String[] words = line.split(" ");
                byte[] code = new byte[Integer.parseInt(words[2])];
                requests.readFully(code);
                int status = run(new String(code, StandardCharsets.UTF_8));
                System.out.flush();
                System.err.flush();
                answers.write(("done " + words[1] + " " + status + "\n").getBytes(StandardCharsets.US_ASCII));
            }
        }
    }

    private static String line(DataInputStream requests) throws IOException {
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        for (int letter = requests.read(); letter != '\n'; letter = requests.read()) {
            if (letter < 0) {
                return null;
            }
            read.write(letter);
        }
        return read.toString(StandardCharsets.US_ASCII);
    }

    private int run(String code) {
        interrupted = false;
        String main = null;
        String left = PACKAGE.matcher(code).replaceFirst("");
        while (!left.isBlank()) {
            SourceCodeAnalysis.CompletionInfo next = analysis.analyzeCompletion(left);
            String source = next.source() == null ? left : next.source();
            left = next.source() == null ? "" : next.remaining();
            if (source.isBlank()) {
                continue;
            }
            for (SnippetEvent event : shell.eval(source)) {
                if (event.causeSnippet() != null) {
                    continue;
                }
                int status = status(event, source);
                if (status != 0) {
                    return status;
                }
                if (event.snippet() instanceof TypeDeclSnippet type && source.contains("void main(String")) {
                    main = type.name();
                }
            }
        }
        if (main != null) {
            for (SnippetEvent event : shell.eval(main + ".main(new String[0]);")) {
                if (event.causeSnippet() == null) {
                    return status(event, main);
                }
            }
        }
        return interrupted ? 130 : 0;
    }

    private int status(SnippetEvent event, String source) {
        if (interrupted) {
            System.err.println("Interrupted");
            return 130;
        }
        if (event.status() == Snippet.Status.REJECTED) {
            shell.diagnostics(event.snippet()).filter(Diag::isError).forEach(problem -> show(problem, source));
            return 1;
        }
        if (event.exception() != null) {
            show(event.exception());
            return 1;
        }
        if (event.status() == Snippet.Status.RECOVERABLE_NOT_DEFINED && !(event.snippet() instanceof TypeDeclSnippet)) {
            System.err.println("Not declared: " + String.join(", ", shell.unresolvedDependencies(
                (jdk.jshell.DeclarationSnippet) event.snippet()).toList()));
            return 1;
        }
        return 0;
    }

    private static void show(Diag problem, String source) {
        int at = (int) Math.min(Math.max(0, problem.getPosition()), source.length());
        long number = source.substring(0, at).chars().filter(letter -> letter == '\n').count() + 1;
        System.err.println("line " + number + ": error: " + problem.getMessage(Locale.ROOT));
        System.err.println("    " + source.split("\n", -1)[(int) number - 1].strip());
    }

    private static void show(JShellException problem) {
        String name = problem instanceof EvalException thrown ? thrown.getExceptionClassName() : problem.getClass().getName();
        String text = problem.getMessage() == null ? name : name + ": " + problem.getMessage();
        System.err.println("Exception in thread \"main\" " + text);
        for (StackTraceElement frame : problem.getStackTrace()) {
            Matcher own = Pattern.compile("REPL\\.\\$JShell\\$\\w+\\$?").matcher(frame.getClassName());
            String place = own.replaceFirst("");
            if (!frame.getMethodName().equals("do_it$")) {
                System.err.println("\tat " + (place.isEmpty() ? "" : place + ".") + frame.getMethodName()
                    + "(line " + frame.getLineNumber() + ")");
            }
        }
    }
}
