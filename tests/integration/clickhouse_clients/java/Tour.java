// What an application does through JDBC. Prints one line per step; the test knows what they must say.
import java.sql.*;
import java.util.Properties;

public class Tour {
  public static void main(String[] given) throws Exception {
    Properties properties = new Properties();
    properties.put("user", given[1]);
    properties.put("password", given[2]);
    properties.put("compress", given[3]);
    try (Connection connection = DriverManager.getConnection("jdbc:clickhouse:" + given[0] + "/default", properties)) {
      System.out.println("version " + connection.getMetaData().getDatabaseMajorVersion());
      try (Statement statement = connection.createStatement()) {
        statement.execute("DROP TABLE IF EXISTS java_tour");
        statement.execute("CREATE TABLE java_tour (id UInt64, ts DateTime64(3, 'UTC'), name String) ENGINE = MergeTree ORDER BY id");
      }
      try (PreparedStatement insert = connection.prepareStatement("INSERT INTO java_tour (id, ts, name) VALUES (?, ?, ?)")) {
        for (int id = 0; id < 100; id++) {
          insert.setLong(1, id);
          insert.setTimestamp(2, new Timestamp(1700000000000L + id));
          insert.setString(3, "it's " + id);
          insert.addBatch();
        }
        insert.executeBatch();
      }
      try (PreparedStatement select = connection.prepareStatement("SELECT count(), max(ts), any(name) FROM java_tour WHERE id >= ? AND name = ?")) {
        select.setLong(1, 10);
        select.setString(2, "it's 42");
        ResultSet rows = select.executeQuery();
        rows.next();
        System.out.println("selected " + rows.getLong(1) + " " + rows.getTimestamp(2).getTime() + " " + rows.getString(3));
      }
      try (Statement statement = connection.createStatement()) {
        ResultSet rows = statement.executeQuery("SELECT number, toString(number) FROM numbers(500000)");
        long count = 0, sum = 0;
        while (rows.next()) {
          count++;
          sum += rows.getLong(1);
        }
        System.out.println("streamed " + count + " " + sum);
        ResultSet none = statement.executeQuery("SELECT id FROM java_tour WHERE id > 1000");
        System.out.println("none " + none.next());
        try {
          statement.executeQuery("SELECT nope FROM java_tour");
        } catch (SQLException error) {
          System.out.println("error " + (error.getMessage().contains("UNKNOWN_IDENTIFIER") ? "UNKNOWN_IDENTIFIER" : error.getMessage()));
        }
      }
      ResultSet tables = connection.getMetaData().getTables(null, "default", "java_tour", null);
      while (tables.next()) System.out.println("table " + tables.getString("TABLE_NAME"));
      ResultSet columns = connection.getMetaData().getColumns(null, "default", "java_tour", "%");
      while (columns.next()) System.out.println("column " + columns.getString("COLUMN_NAME"));
    }
  }
}
