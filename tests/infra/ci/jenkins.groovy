// Carries out a Jenkinsfile as Jenkins would, on the names that its declarative syntax has and no others.
// Arguments: the file, the branch. Ends 0 for SUCCESS, 1 for FAILURE, 2 for ABORTED.
import java.nio.file.FileSystems
import java.nio.file.Path
import java.nio.file.PathMatcher
import org.codehaus.groovy.control.CompilerConfiguration

class Failed extends RuntimeException {
    Failed(String message) { super(message) }
}

class Build {
    static String result = 'SUCCESS'
    static String branch = ''
    static Map<String, String> env = new HashMap<>(System.getenv())
    static Map<String, Object> params = [:]

    static Object within(Object section, Closure body) {
        body.delegate = section
        body.resolveStrategy = Closure.DELEGATE_ONLY
        body.call()
    }
}

class Pipeline {
    List<Closure> stages = []
    Closure after
    final String any = 'any'
    final String none = 'none'
    void agent(String where) { assert where in ['any', 'none'] }
    void options(Closure body) { Build.within(new Options(), body) }
    void parameters(Closure body) { Build.within(new Parameters(), body) }
    void environment(Closure body) { Build.within(new Environment(), body) }
    void triggers(Closure body) { Build.within(new Triggers(), body) }
    void stages(Closure body) { stages << body }
    void post(Closure body) { after = body }
}

class Options {
    void disableConcurrentBuilds() { }
    void timeout(Map given) { assert given.keySet() == ['time', 'unit'] as Set }
}

class Triggers {
    void cron(String spec) { }
}

class Parameters {
    void string(Map given) {
        assert given.keySet() == ['name', 'defaultValue', 'description'] as Set
        Build.params[given.name] = System.getenv("PARAMETER_${given.name}") ?: given.defaultValue
    }
}

class Environment {
    Object getProperty(String name) {
        if (name == 'params') { return Build.params }
        if (name == 'env') { return Build.env }
        throw new MissingPropertyException(name, Environment)
    }
    void setProperty(String name, Object value) { Build.env[name] = value.toString() }
    String credentials(String id) {
        String found = System.getenv("CREDENTIAL_${id.replace('-', '_')}")
        if (found == null) { throw new Failed("Could not find credentials entry with ID '${id}'") }
        found
    }
}

class Stages {
    void stage(String name, Closure body) {
        if (Build.result != 'SUCCESS') { return }
        Stage one = new Stage()
        Build.within(one, body)
        if (one.steps == null) { throw new Failed("stage ${name} has no steps") }
        if (!one.holds) {
            println "Stage \"${name}\" skipped due to when conditional"
            return
        }
        println "[Pipeline] { (${name})"
        Build.within(new Steps(), one.steps)
    }
}

class Stage {
    boolean holds = true
    Closure steps
    void when(Closure body) {
        When one = new When()
        Build.within(one, body)
        holds = one.holds
    }
    void steps(Closure body) { steps = body }
}

class When {
    boolean holds = true
    void branch(String name) { holds = holds && name == Build.branch }
}

class CurrentBuild {
    String getResult() { Build.result }
    void setResult(String value) { Build.result = value }
}

class Steps {
    final CurrentBuild currentBuild = new CurrentBuild()
    void echo(String text) { println text }
    void junit(Map given) {
        assert given.keySet() == ['testResults', 'allowEmptyResults'] as Set
        Path here = Path.of('')
        PathMatcher wanted = FileSystems.default.getPathMatcher("glob:${given.testResults}")
        int found = 0
        new File('').absoluteFile.eachFileRecurse { File file ->
            if (wanted.matches(here.toAbsolutePath().relativize(file.toPath()))) { found++ }
        }
        println "Recording test results: ${found}"
    }
    void error(String text) { throw new Failed(text) }
    void script(Closure body) { Build.within(this, body) }
    Map getEnv() { Build.env }
    Map getParams() { Build.params }
    Object withEnv(List<String> given, Closure body) {
        Build.env.putAll(given.collectEntries { it.toString().split('=', 2) as List })
        Build.within(this, body)
    }
    Object sh(String script) { sh(script: script) }
    Object sh(Map given) {
        assert (given.keySet() - ['script', 'returnStatus', 'label']).isEmpty()
        Process process = new ProcessBuilder('sh', '-xe', '-c', given.script as String).with {
            environment().putAll(Build.env)
            inheritIO()
            start()
        }
        int code = process.waitFor()
        if (given.returnStatus) { return code }
        if (code != 0) { throw new Failed("script returned exit code ${code}") }
    }
}

class Post {
    void always(Closure body) { Build.within(new Steps(), body) }
    void success(Closure body) { if (Build.result == 'SUCCESS') { always(body) } }
    void failure(Closure body) { if (Build.result == 'FAILURE') { always(body) } }
    void aborted(Closure body) { if (Build.result == 'ABORTED') { always(body) } }
}

abstract class JenkinsScript extends Script {
    void pipeline(Closure body) {
        Pipeline described = new Pipeline()
        try {
            Build.within(described, body)
            assert described.stages.size() == 1
            Build.within(new Stages(), described.stages[0])
        } catch (Failed failed) {
            println "ERROR: ${failed.message}"
            Build.result = 'FAILURE'
        }
        if (described.after) { Build.within(new Post(), described.after) }
        println "Finished: ${Build.result}"
    }
}

Build.branch = args[1]
CompilerConfiguration configuration = new CompilerConfiguration(scriptBaseClass: 'JenkinsScript')
new GroovyShell(this.class.classLoader, new Binding(), configuration).evaluate(new File(args[0]))
System.exit(['SUCCESS', 'FAILURE', 'ABORTED'].indexOf(Build.result))
